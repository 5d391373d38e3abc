import { Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../env/make-folder.js';
import { Settings } from '../env/settings.js';
import type { Mail } from './mail.js';

/** Maximum wait for a server that does not respond. */
const TIMEOUT_MS = 10_000;

/** Sends mails over SMTP, or writes them to `<DATA_DIR>/outbox` where SMTP_URL is not set. */
@Injectable()
export class MailTransport {
  private readonly logger = new Logger('Mail');
  /** Created with the first mail. */
  private transporter?: ReturnType<typeof createTransporter>;

  constructor(private readonly settings: Settings) {}

  /** False in production without SMTP_URL, where an outbox would not be read. */
  get isConfigured(): boolean {
    return this.settings.smtpUrl !== undefined || !this.settings.production;
  }

  /** @throws {Error} of nodemailer, or of the file system */
  async send({ link, ...mail }: Mail): Promise<void> {
    if (!this.isConfigured) throw new Error('SMTP_URL is not set');
    const message = {
      ...mail,
      from: this.settings.mailFrom,
      // RFC 3834 section 5: keeps out-of-office replies from answering.
      headers: { 'Auto-Submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
    };
    const sent = await (await (this.transporter ??= createTransporter(this.settings))).sendMail(message);
    if (Buffer.isBuffer(sent.message)) await this.writeFile(sent.message, link);
  }

  private async writeFile(message: Buffer, link: string | undefined): Promise<void> {
    const folder = join(this.settings.dataDir, 'outbox');
    const file = join(folder, `${Date.now()}-${randomUUID()}.eml`);
    makeFolder(folder);
    await writeFile(file, message, { mode: 0o600 });
    this.logger.log({ file, link }, 'Mail written to a file, because SMTP_URL is not set');
  }
}

/** Loads nodemailer at first use, because it is large. Without SMTP_URL, resolves to a transporter that returns the message. */
async function createTransporter({ smtpUrl }: Settings) {
  const { createTransport } = await import('nodemailer');
  return smtpUrl === undefined
    ? createTransport({ streamTransport: true, buffer: true, newline: 'windows' })
    : createTransport(smtpOptions(smtpUrl));
}

/** STARTTLS is used where the server offers it, and certificates are verified: nodemailer's defaults. */
function smtpOptions(url: string) {
  return {
    url,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    dnsTimeout: TIMEOUT_MS,
  };
}
