import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, LessThan } from 'typeorm';
import { AuditEvent } from '../../audit/audit-event.entity.js';
import { KnownAddress } from '../sessions/known-address.entity.js';
import { RefreshToken } from '../sessions/refresh-token.entity.js';
import { Session } from '../sessions/session.entity.js';
import { MailToken } from '../mails/mail-token.entity.js';
import { StreamTicket } from './stream-ticket.entity.js';

const INTERVAL_MS = 60 * 60_000;
const DAY_MS = 24 * 60 * 60_000;
/** Until then, an expired token is reported as expired, not as unknown. */
const EXPIRED_KEPT_MS = 7 * DAY_MS;
const ADDRESSES_KEPT_MS = 90 * DAY_MS;
const AUDIT_KEPT_MS = 365 * DAY_MS;

/** Deletes expired sessions, refresh tokens, stream tickets, mailed tokens, known addresses and audit events every hour. */
@Injectable()
export class ExpiryPurgeService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('ExpiryPurge');
  private timer?: NodeJS.Timeout;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  onApplicationBootstrap(): void {
    void this.run();
    this.timer = setInterval(() => void this.run(), INTERVAL_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Does not throw: the next run deletes what a failed one left. */
  async run(): Promise<void> {
    try {
      await this.purge(new Date());
    } catch (error) {
      this.logger.warn({ error: String(error) }, 'Failed to purge expired sessions, tokens and events');
    }
  }

  /** Keeps used refresh tokens until they expire, so that their reuse is detected. */
  private async purge(now: Date): Promise<void> {
    const { manager } = this.dataSource;
    const before = (ageMs: number) => LessThan(new Date(now.getTime() - ageMs));
    await manager.delete(Session, { expiresAt: before(EXPIRED_KEPT_MS) });
    await manager.delete(RefreshToken, { expiresAt: before(EXPIRED_KEPT_MS) });
    await manager.delete(StreamTicket, { expiresAt: before(0) });
    await manager.delete(MailToken, { expiresAt: before(0) });
    await manager.delete(KnownAddress, { lastLoginAt: before(ADDRESSES_KEPT_MS) });
    await manager.delete(AuditEvent, { at: before(AUDIT_KEPT_MS) });
  }
}
