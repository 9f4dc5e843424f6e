/** E-mail through one SMTP server. */
import { createTransport, type Transporter } from 'nodemailer';
import type { SmtpConfig } from '../config/smtp';
import type { DeliveryError } from '../domain/delivery';
import { isEmailAddress } from '../domain/email-address';
import { isLoopback } from '../domain/loopback';
import { isCertificateError } from './certificate-error';

export interface Mail {
  /** The same with each attempt, so that a second copy is known as one. */
  readonly messageId: string;
  /** All recipients, as they are shown. */
  readonly to: readonly string[];
  /** Those that it is sent to now. */
  readonly recipients: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly date: Date;
}

export interface MailAnswer {
  /** Of SMTP; null when there was none. */
  readonly status: number | null;
  readonly error: DeliveryError | null;
  /** Recipients for whom the server has taken the mail. */
  readonly accepted: readonly string[];
  /** Recipients for whom it never will. */
  readonly refused: readonly string[];
}

/** The activities' view of the mail server. */
export interface Mailer {
  /** Never throws for what the server or the network does. */
  send(mail: Mail): Promise<MailAnswer>;
}

const stepTimeoutMs = 10_000;
const answerBytesMax = 65_536;

/** What `nodemailer` throws, as far as it is of use here. */
interface SmtpError extends Error {
  readonly code?: string;
  /** Of the system, behind `ESOCKET`. */
  readonly originalCode?: string;
  readonly responseCode?: number;
  readonly recipient?: string;
  readonly rejectedErrors?: readonly SmtpError[];
}

export class SmtpMailer implements Mailer {
  private readonly transport: Transporter;

  constructor(private readonly config: SmtpConfig) {
    const { host, port, isSecure, user, password } = config;
    this.transport = createTransport({
      host,
      port,
      secure: isSecure,
      // A password is not sent in the clear, but to this machine.
      requireTLS: user !== undefined && !isLoopback(host),
      ...(user !== undefined && { auth: { user, pass: password ?? '' } }),
      connectionTimeout: stepTimeoutMs,
      greetingTimeout: stepTimeoutMs,
      socketTimeout: stepTimeoutMs,
      dnsTimeout: stepTimeoutMs,
      maxResponseSize: answerBytesMax,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }

  async send(mail: Mail): Promise<MailAnswer> {
    const recipients = mail.recipients.filter(isEmailAddress);
    const unusable = mail.recipients.filter((recipient) => !isEmailAddress(recipient));
    const answer = await this.sendTo(recipients, mail);
    return { ...answer, refused: [...unusable, ...answer.refused] };
  }

  private async sendTo(recipients: readonly string[], mail: Mail): Promise<MailAnswer> {
    if (recipients.length === 0) {
      return { status: null, error: null, accepted: [], refused: [] };
    }
    const { from } = this.config;
    try {
      const { rejectedErrors = [] } = await this.transport.sendMail({
        from,
        // As objects, so that nothing in them is taken for a second address.
        to: mail.to.filter(isEmailAddress).map((address) => ({ name: '', address })),
        envelope: { from: bareAddress(from), to: [...recipients] },
        subject: mail.subject,
        text: mail.text,
        messageId: `<${mail.messageId}@${bareAddress(from).replace(/^.*@/, '')}>`,
        date: mail.date,
        // RFC 3834: so that nobody's absence notice answers.
        headers: { 'Auto-Submitted': 'auto-generated' },
      });
      return answerOf(recipients, { rejected: rejectedErrors as readonly SmtpError[] });
    } catch (thrown) {
      const error = thrown as SmtpError;
      const rejected = error.rejectedErrors ?? [];
      return rejected.length > 0
        ? answerOf(recipients, { rejected })
        : { ...failureOf(error), accepted: [], refused: refusedBy(error, recipients) };
    }
  }
}

/** `address` of `Name <address>`. */
function bareAddress(from: string): string {
  return /<([^<>]*)>$/.exec(from)?.[1] ?? from;
}

function answerOf(
  recipients: readonly string[],
  { rejected }: { readonly rejected: readonly SmtpError[] },
): MailAnswer {
  const rejectedOnes = new Set(rejected.map(({ recipient }) => recipient));
  const refused = rejected.filter(isPermanent).flatMap(({ recipient }) => recipient ?? []);
  return {
    status: rejected[0]?.responseCode ?? 250,
    error: null,
    accepted: recipients.filter((recipient) => !rejectedOnes.has(recipient)),
    refused,
  };
}

const errorOfCode: Readonly<Record<string, DeliveryError>> = {
  ETLS: 'certificate_refused',
  EAUTH: 'not_authorized',
  ENOAUTH: 'not_authorized',
  ETIMEDOUT: 'timeout',
  EDNS: 'name_not_resolved',
};

function failureOf(error: SmtpError): Pick<MailAnswer, 'status' | 'error'> {
  const { code = '', originalCode = '', responseCode: status = null } = error;
  const kind = isCertificateError(originalCode) ? 'certificate_refused' : errorOfCode[code];
  return { status, error: kind ?? (isAboutMail(error) ? null : 'connection_failed') };
}

/**
 * A server that refuses us — our password, our address — is no reason to give a recipient up: an
 * operator corrects it.
 */
function refusedBy(error: SmtpError, recipients: readonly string[]): readonly string[] {
  return isPermanent(error) && isAboutMail(error) ? recipients : [];
}

function isAboutMail({ code }: SmtpError): boolean {
  return code === 'EENVELOPE' || code === 'EMESSAGE';
}

/** RFC 5321 §4.2.1: 5yz is a permanent negative completion reply. */
function isPermanent({ responseCode = 0 }: SmtpError): boolean {
  return responseCode >= 500;
}
