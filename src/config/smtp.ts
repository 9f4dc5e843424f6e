/** The mail server, as one URL says it. */

export interface SmtpConfig {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte; otherwise STARTTLS where the server has it. */
  readonly isSecure: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** `address` or `Name <address>`. */
  readonly from: string;
}

/** One address, alone or behind a name; nothing that could begin another header. */
export const senderPattern = /^(?:[^<>\p{Cc}]* <[^<>\s@]+@[^<>\s@]+>|[^<>\s@]+@[^<>\s@]+)$/u;

/** RFC 6409 and RFC 8314: submission, with STARTTLS and with TLS. */
const submissionPort = 587;
const secureSubmissionPort = 465;

/** @param text `smtp://` or `smtps://`, user and password percent-encoded. */
export function smtpConfig(text: string, from: string): SmtpConfig {
  const url = new URL(text);
  const isSecure = url.protocol === 'smtps:';
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port) || (isSecure ? secureSubmissionPort : submissionPort),
    isSecure,
    user: decoded(url.username),
    password: decoded(url.password),
    from,
  };
}

/** Whether {@link smtpConfig} can read it. */
export function isSmtpUrl(text: string): boolean {
  try {
    const { host } = smtpConfig(text, '');
    return /^smtps?:\/\//.test(text) && host !== '';
  } catch {
    return false;
  }
}

function decoded(part: string): string | undefined {
  return part === '' ? undefined : decodeURIComponent(part);
}
