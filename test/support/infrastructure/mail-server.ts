import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import { until } from './until.js';

export interface ReceivedMail {
  email: Email;
  /** Recipients of the envelope. */
  recipients: string[];
  /** Whether TLS was used. */
  secure: boolean;
  /** The name that logged in, if one did. */
  username?: string;
}

/** A real SMTP server on loopback that keeps what it receives. Logins need the password `secret`. */
export class MailServer {
  readonly received: ReceivedMail[] = [];
  private readonly server: SMTPServer;
  port = 0;

  private constructor(options: SMTPServerOptions) {
    this.server = new SMTPServer({
      authOptional: true,
      disabledCommands: options.key ? [] : ['STARTTLS'],
      onAuth: ({ username, password }, _session, done) =>
        password === 'secret' ? done(null, { user: username }) : done(new Error('Wrong password')),
      onData: (stream, session, done) => void this.receive(stream, session).then(() => done(), done),
      ...options,
    });
    // Clients that do not trust the certificate abort the handshake.
    this.server.on('error', () => undefined);
  }

  /** Without TLS by default, on a free port. */
  static async start(options: SMTPServerOptions = {}, port = 0): Promise<MailServer> {
    const server = new MailServer(options);
    await once(server.server.listen(port, '127.0.0.1'), 'listening');
    server.port = (server.server.server.address() as AddressInfo).port;
    return server;
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`;
  }

  /** Waits for a mail to an address. @param index counts the mails to the address from 0 */
  async mailTo(address: string, index = 0): Promise<ReceivedMail> {
    await until(() => this.mailsTo(address).length > index);
    return this.mailsTo(address)[index]!;
  }

  mailsTo(address: string): ReceivedMail[] {
    return this.received.filter(({ recipients }) => recipients.includes(address));
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private async receive(stream: Readable, { envelope, secure, user }: SMTPServerSession): Promise<void> {
    const email = await PostalMime.parse(await text(stream));
    const recipients = envelope.rcptTo.map(({ address }) => address);
    this.received.push({ email, recipients, secure, username: user as string | undefined });
  }
}
