import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type EntityManager, LessThanOrEqual, Repository } from 'typeorm';
import { afterCommit } from '../database/retry.js';
import { EncryptionService, UnreadableTokenError } from '../encryption/encryption.service.js';
import type { Mail } from './mail.js';
import { MailTransport } from './mail-transport.js';
import { QueuedMail } from './queued-mail.entity.js';

const POLL_INTERVAL_MS = 5_000;
const BATCH_SIZE = 10;
/** Longer than an attempt can take, so that no other node sends the mail meanwhile. */
const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 60 * 60_000;
const GIVE_UP_AFTER_MS = 24 * 60 * 60_000;

/**
 * Sends mails that were stored in the database, at least once each and on any node. Failed attempts are repeated with
 * growing delays for 24 hours.
 */
@Injectable()
export class MailQueue implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Mail');
  private timer?: NodeJS.Timeout;
  private running?: Promise<void>;
  private isRunning = false;
  private isWoken = false;

  constructor(
    @InjectRepository(QueuedMail) private readonly mails: Repository<QueuedMail>,
    private readonly encryption: EncryptionService,
    private readonly transport: MailTransport,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.wake(), POLL_INTERVAL_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** False in production without SMTP_URL. */
  get isConfigured(): boolean {
    return this.transport.isConfigured;
  }

  /** Stores a mail in the caller's transaction, and sends it after the commit. */
  async add(manager: EntityManager, userId: number, mail: Mail): Promise<void> {
    const now = new Date();
    const encryptedMail = this.encryption.encrypt(JSON.stringify(mail));
    await manager.insert(QueuedMail, { userId, encryptedMail, nextAttemptAt: now, createdAt: now });
    afterCommit(manager, () => this.wake());
  }

  /** Sends due mails in the background. While it is doing so, another round follows for mails added meanwhile. */
  wake(): void {
    this.isWoken = true;
    if (!this.isRunning) this.running = this.run();
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    try {
      while (this.isWoken) {
        this.isWoken = false;
        await this.sendDue();
      }
    } catch (error) {
      this.logger.warn({ error: String(error) }, 'Failed to read queued mails');
    } finally {
      this.isRunning = false;
    }
  }

  private async sendDue(): Promise<void> {
    for (;;) {
      const due = await this.mails.find({
        where: { nextAttemptAt: LessThanOrEqual(new Date()) },
        order: { nextAttemptAt: 'ASC' },
        take: BATCH_SIZE,
      });
      await Promise.all(due.map((mail) => this.claimAndSend(mail)));
      if (due.length < BATCH_SIZE) return;
    }
  }

  private async claimAndSend(queued: QueuedMail): Promise<void> {
    const { id, nextAttemptAt, attempts } = queued;
    const next = { attempts: attempts + 1, nextAttemptAt: new Date(Date.now() + retryDelayMs(attempts)) };
    const { affected } = await this.mails.update({ id, nextAttemptAt }, next);
    if (affected !== 1) return;
    try {
      const mail = JSON.parse(this.encryption.decrypt(queued.encryptedMail)) as Mail;
      await this.transport.send(mail);
      await this.mails.delete({ id });
    } catch (error) {
      await this.failed(queued, error);
    }
  }

  private async failed({ id, userId, attempts, createdAt }: QueuedMail, error: unknown): Promise<void> {
    const age = Date.now() - createdAt.getTime();
    const isHopeless = age > GIVE_UP_AFTER_MS || error instanceof UnreadableTokenError;
    const details = { user_id: userId, attempt: attempts + 1, error: describe(error) };
    if (!isHopeless) return this.logger.warn(details, 'Failed to send a mail; it will be tried again');
    await this.mails.delete({ id });
    this.logger.error(details, 'Gave up a mail');
  }
}

/** @param attempts made before */
export function retryDelayMs(attempts: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** attempts, MAX_RETRY_MS);
}

/** Omits the message of an SMTP reply, which may quote the recipient. */
function describe(error: unknown): string {
  const { code, responseCode, message } = error as { code?: string; responseCode?: number; message: string };
  return responseCode ? `${code} ${responseCode}` : message;
}
