import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Draining } from '../../common/lifecycle/draining.js';
import { RateLimitedError } from '../../common/errors/errors.js';
import { Conversation } from '../../conversations/conversation.entity.js';
import { Message } from '../../conversations/messages/message.entity.js';
import { Settings } from '../../env/settings.js';
import { RateLimits } from '../../throttling/rate-limits.js';

/** A place among a user's running replies. */
export interface QuotaLease {
  /** Ends the place: the reply has ended, or there was none to run. */
  release(): void;
  /** Gives the send back to the user's budget as well: it was a repeat. */
  refund(): void;
}

/** Who may have one more reply: not while the server drains, nor over the user's budget or number at once. */
@Injectable()
export class ReplyQuota {
  private readonly running = new Map<number, number>();

  constructor(
    private readonly limits: RateLimits,
    private readonly draining: Draining,
    private readonly settings: Settings,
    @InjectDataSource() private readonly database: DataSource,
  ) {}

  async acquire(userId: number): Promise<QuotaLease> {
    const refusal = this.draining.refusal();
    if (refusal) throw refusal;
    this.take(userId);
    try {
      if (this.settings.redisUrl) await this.refuseOverLimitElsewhere(userId);
      await this.limits.consume('chat', userId);
    } catch (error) {
      this.leave(userId);
      throw error;
    }
    return {
      release: () => this.leave(userId),
      refund: () => {
        this.leave(userId);
        void this.limits.refund('chat', userId);
      },
    };
  }

  /** In one turn of the loop, so that sends that race are counted too. */
  private take(userId: number): void {
    const running = this.running.get(userId) ?? 0;
    if (running >= this.limits.concurrencyLimitOf('running_replies')) throw tooManyReplies();
    this.running.set(userId, running + 1);
  }

  /** Where other nodes run replies too. Sends that race to several nodes may each find the last place free. */
  private async refuseOverLimitElsewhere(userId: number): Promise<void> {
    const running = await this.database
      .createQueryBuilder(Message, 'message')
      .innerJoin(Conversation, 'conversation', 'conversation.id = message.streamingIn')
      .where('message.streamingIn > 0 AND conversation.userId = :userId', { userId })
      .getCount();
    if (running >= this.limits.concurrencyLimitOf('running_replies')) throw tooManyReplies();
  }

  private leave(userId: number): void {
    const running = (this.running.get(userId) ?? 1) - 1;
    if (running > 0) this.running.set(userId, running);
    else this.running.delete(userId);
  }
}

const tooManyReplies = () => new RateLimitedError(1, 'Too many replies are running at once.');
