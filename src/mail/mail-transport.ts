import { Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { Settings } from '../env/settings.js';
import type { Mail } from './mail.js';

/** A server that stalls is left after this time. */
const TIMEOUT_MS = 10_000;

/** Sends mails over SMTP, or writes them to `<DATA_DIR>/outbox` where SMTP_URL is not set. */
@Injectable()
export class MailTransport {
  private readonly logger = new Logger('Mail');
  private readonly smtp;
  private readonly files = createTransport({ streamTransport: true, buffer: true, newline: 'windows' });

  constructor(private readonly settings: Settings) {
    this.smtp = settings.smtpUrl === undefined ? null : createTransport(smtpOptions(settings.smtpUrl));
  }

  /** False in production without SMTP_URL: nobody would read the outbox. */
  get isConfigured(): boolean {
    return this.smtp !== null || !this.settings.production;
  }

  /** @throws {Error} of nodemailer, or of the file system */
  async send({ link, ...mail }: Mail): Promise<void> {
    const message = {
      ...mail,
      from: this.settings.mailFrom,
      // RFC 3834 section 5: keeps out-of-office replies from answering.
      headers: { 'Auto-Submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
    };
    if (this.smtp) await this.smtp.sendMail(message);
    else await this.writeFile((await this.files.sendMail(message)).message as Buffer, link);
  }

  private async writeFile(message: Buffer, link: string | undefined): Promise<void> {
    const folder = join(this.settings.dataDir, 'outbox');
    const file = join(folder, `${Date.now()}-${randomUUID()}.eml`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(file, message, { mode: 0o600 });
    this.logger.log({ file, link }, 'Mail written to a file, because SMTP_URL is not set');
  }
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
