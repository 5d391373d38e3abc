import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, LessThan } from 'typeorm';
import { KnownAddress } from '../sessions/known-address.entity.js';
import { RefreshToken } from '../sessions/refresh-token.entity.js';
import { Session } from '../sessions/session.entity.js';
import { StreamTicket } from './stream-ticket.entity.js';

const INTERVAL_MS = 60 * 60_000;
const DAY_MS = 24 * 60 * 60_000;
/** For so long, a client that comes too late hears that its token has expired, not that nobody knows it. */
const EXPIRED_KEPT_MS = 7 * DAY_MS;
const ADDRESSES_KEPT_MS = 90 * DAY_MS;

/** Sweeps out, hourly, what no login needs any more. Nothing depends on when. */
@Injectable()
export class SessionPurgeService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('SessionPurge');
  private timer?: NodeJS.Timeout;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  onApplicationBootstrap(): void {
    void this.run();
    this.timer = setInterval(() => void this.run(), INTERVAL_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Never fails: what one round leaves, the next takes. */
  async run(): Promise<void> {
    try {
      await this.purge(new Date());
    } catch (error) {
      this.logger.warn({ error: String(error) }, 'Expired sessions could not be purged');
    }
  }

  /** A spent token goes only once it has expired, so that its reuse is seen for as long as it could matter. */
  private async purge(now: Date): Promise<void> {
    const { manager } = this.dataSource;
    const before = (ageMs: number) => LessThan(new Date(now.getTime() - ageMs));
    await manager.delete(Session, { expiresAt: before(EXPIRED_KEPT_MS) });
    await manager.delete(RefreshToken, { expiresAt: before(EXPIRED_KEPT_MS) });
    await manager.delete(StreamTicket, { expiresAt: before(0) });
    await manager.delete(KnownAddress, { lastLoginAt: before(ADDRESSES_KEPT_MS) });
  }
}
