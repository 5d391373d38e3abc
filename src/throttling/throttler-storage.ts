import { Injectable } from '@nestjs/common';
import { ThrottlerStorage } from '@nestjs/throttler';
import { LimitStore } from './limit-store.js';

/** Stores @nestjs/throttler's counts in the LimitStore. Its default storage keeps a timer per hit. */
@Injectable()
export class SharedThrottlerStorage implements ThrottlerStorage {
  constructor(private readonly store: LimitStore) {}

  async increment(key: string, ttl: number, limit: number) {
    const { allowed, used, resetMs } = await this.store.tryConsume(key, { limit, windowMs: ttl });
    const seconds = Math.max(1, Math.ceil(resetMs / 1000));
    return {
      totalHits: used,
      timeToExpire: seconds,
      isBlocked: !allowed,
      timeToBlockExpire: allowed ? 0 : seconds,
    };
  }
}
