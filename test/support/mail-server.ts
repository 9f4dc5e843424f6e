/** A real SMTP server of a test's own, on a port of its own. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export interface ReceivedMail {
  readonly recipients: readonly string[];
  /** As it came: headers, an empty line, text. */
  readonly raw: string;
}

/** What a server of RFC 5321 answers with. */
export class SmtpRefusal extends Error {
  constructor(readonly responseCode: number) {
    super('Refused by the test');
  }
}

export class MailServer {
  readonly received: ReceivedMail[] = [];
  /** The answer to a recipient; undefined takes it. */
  refusalOf: (recipient: string) => SmtpRefusal | undefined = () => undefined;
  private readonly server: SMTPServer;

  private constructor(options: SMTPServerOptions) {
    this.server = new SMTPServer({
      disabledCommands: ['STARTTLS'],
      authOptional: true,
      allowInsecureAuth: true,
      onRcptTo: ({ address }, _session, callback) => {
        callback(this.refusalOf(address));
      },
      onData: (stream, session, callback) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          this.received.push({
            recipients: session.envelope.rcptTo.map(({ address }) => address),
            raw: Buffer.concat(chunks).toString(),
          });
          callback();
        });
      },
      ...options,
    });
    this.server.on('error', () => undefined);
  }

  static async start(options: SMTPServerOptions = {}): Promise<MailServer> {
    const server = new MailServer(options);
    server.server.listen(0, '127.0.0.1');
    await once(server.server.server, 'listening');
    return server;
  }

  get port(): number {
    return (this.server.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(resolve);
    });
  }
}
