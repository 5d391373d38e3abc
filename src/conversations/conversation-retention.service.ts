import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, MoreThan, Repository } from 'typeorm';
import { NotFoundError } from '../common/errors/errors.js';
import { Settings } from '../env/settings.js';
import { Conversation } from './conversation.entity.js';
import { ConversationsService } from './conversations.service.js';

const INTERVAL_MS = 60 * 60_000;
const DAY_MS = 24 * 60 * 60_000;
const PAGE_SIZE = 500;

/** Deletes conversations without a message for RETENTION_DAYS, every hour, on any node. */
@Injectable()
export class ConversationRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('ConversationRetention');
  private timer?: NodeJS.Timeout;
  private isStopped = false;

  constructor(
    @InjectRepository(Conversation) private readonly rows: Repository<Conversation>,
    private readonly conversations: ConversationsService,
    private readonly settings: Settings,
  ) {}

  onApplicationBootstrap(): void {
    if (this.settings.retentionDays === undefined) return;
    void this.run();
    this.timer = setInterval(() => void this.run(), INTERVAL_MS).unref();
  }

  onApplicationShutdown(): void {
    this.isStopped = true;
    clearInterval(this.timer);
  }

  /** Does not throw: the next run deletes what a failed one left. */
  async run(): Promise<void> {
    try {
      const before = new Date(Date.now() - this.settings.retentionDays! * DAY_MS);
      const count = await this.deleteBefore(before);
      if (count > 0) this.logger.log({ count, before }, 'Deleted conversations past their retention');
    } catch (error) {
      this.logger.warn({ error: String(error) }, 'Failed to delete conversations past their retention');
    }
  }

  /** Reads the primary key page by page: an index on the time would slow down each send. */
  private async deleteBefore(before: Date): Promise<number> {
    let count = 0;
    for (let after = 0; !this.isStopped;) {
      const page = await this.rows.find({
        select: { id: true, userId: true },
        where: { id: MoreThan(after), updatedAt: LessThan(before) },
        order: { id: 'ASC' },
        take: PAGE_SIZE,
      });
      for (const { userId, id } of page) if (await this.delete(userId, id, before)) count++;
      if (page.length < PAGE_SIZE) break;
      after = page.at(-1)!.id;
    }
    return count;
  }

  /** @returns false if another node deleted it, or a message was added meanwhile */
  private async delete(userId: number, id: number, before: Date): Promise<boolean> {
    try {
      await this.conversations.delete(userId, id, before);
      return true;
    } catch (error) {
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  }
}
