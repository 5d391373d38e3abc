import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Draining } from '../../common/lifecycle/draining.js';
import { RateLimitedError } from '../../common/errors/errors.js';
import { Conversation } from '../../conversations/conversation.entity.js';
import { Message } from '../../conversations/messages/message.entity.js';
import { Settings } from '../../env/settings.js';
import { RateLimits } from '../../throttling/rate-limits.js';

/** One of a user's running replies. */
export interface QuotaLease {
  /** Ends the lease. */
  release(): void;
  /** Ends the lease and returns the send to the user's rate limit. */
  refund(): void;
}

/** Limits replies: by rate and concurrency per user, and none while the server drains. */
@Injectable()
export class ReplyQuota {
  private readonly running = new Map<number, number>();

  constructor(
    private readonly limits: RateLimits,
    private readonly draining: Draining,
    private readonly settings: Settings,
    @InjectDataSource() private readonly database: DataSource,
  ) {}

  /** @throws {RateLimitedError} @throws {UnavailableError} `draining` */
  async acquire(userId: number): Promise<QuotaLease> {
    const refusal = this.draining.refusal();
    if (refusal) throw refusal;
    this.count(userId);
    try {
      if (this.settings.redisUrl) await this.refuseOverGlobalLimit(userId);
      await this.limits.consume('chat', userId);
    } catch (error) {
      this.release(userId);
      throw error;
    }
    return {
      release: () => this.release(userId),
      refund: () => {
        this.release(userId);
        void this.limits.refund('chat', userId);
      },
    };
  }

  /** Synchronous, so that simultaneous sends cannot exceed the limit. */
  private count(userId: number): void {
    const running = this.running.get(userId) ?? 0;
    if (running >= this.limits.concurrencyLimitOf('running_replies')) throw tooManyReplies();
    this.running.set(userId, running + 1);
  }

  /** Counts the replies of all nodes. Simultaneous sends to several nodes may exceed the limit. */
  private async refuseOverGlobalLimit(userId: number): Promise<void> {
    const running = await this.database
      .createQueryBuilder(Message, 'message')
      .innerJoin(Conversation, 'conversation', 'conversation.id = message.streamingIn')
      .where('message.streamingIn > 0 AND conversation.userId = :userId', { userId })
      .getCount();
    if (running >= this.limits.concurrencyLimitOf('running_replies')) throw tooManyReplies();
  }

  private release(userId: number): void {
    const running = (this.running.get(userId) ?? 1) - 1;
    if (running > 0) this.running.set(userId, running);
    else this.running.delete(userId);
  }
}

const tooManyReplies = () => new RateLimitedError(1, 'Too many replies are running at once.');
