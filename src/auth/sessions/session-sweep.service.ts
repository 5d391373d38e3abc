import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In } from 'typeorm';
import { EventHub } from '../../events/event-hub.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { User } from '../users/user.entity.js';
import { Session } from './session.entity.js';

const INTERVAL_MS = 4000;
const BATCH_SIZE = 1000;

/**
 * Notices sessions that were ended and users that were disabled by another process, within 5 s, where no Redis reports
 * them. Reads the sessions of the users with a connection or a running reply on this node.
 */
@Injectable()
export class SessionSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('SessionSweep');
  private timer?: NodeJS.Timeout;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly events: EventHub,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.run(), INTERVAL_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Does not throw: the next run follows soon. */
  async run(): Promise<void> {
    const userIds = this.events.subscribedUsers();
    try {
      for (let start = 0; start < userIds.length; start += BATCH_SIZE)
        await this.sweep(userIds.slice(start, start + BATCH_SIZE));
    } catch (error) {
      this.logger.debug({ error: String(error) }, 'Failed to read the sessions of connected users');
    }
  }

  private async sweep(userIds: number[]): Promise<void> {
    const as_of = performance.now();
    const { manager } = this.dataSource;
    const where = { userId: In(userIds) };
    const [sessions, users] = await Promise.all([
      manager.find(Session, { select: { id: true, userId: true }, where }),
      manager.find(User, { select: { id: true, disabledAt: true }, where: { id: In(userIds) } }),
    ]);
    const sessionIds = new Map(userIds.map((id): [number, number[]] => [id, []]));
    for (const { id, userId } of sessions) sessionIds.get(userId)!.push(id);
    for (const { id, disabledAt } of users) {
      const session_ids = sessionIds.get(id);
      this.events.deliver(id, new ParleyEvent('sessions.current', { session_ids, as_of }));
      if (disabledAt) this.events.deliver(id, new ParleyEvent('account.disabled', {}));
    }
  }
}
