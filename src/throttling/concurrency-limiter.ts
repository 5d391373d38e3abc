import { Injectable } from '@nestjs/common';
import { RateLimitedError } from '../common/errors/errors.js';
import type { ConcurrencyLimitName } from './limits.js';
import { LimitKey, RateLimits } from './rate-limits.js';

/** When to try again. Nobody knows when a place will be free. */
const RETRY_AFTER_SECONDS = 10;

interface Count {
  key: string;
  taken: number;
}

/** Counts what is there at a time, by user or address, on this node. */
@Injectable()
export class ConcurrencyLimiter {
  private readonly counts = new Map<string, Count>();

  constructor(private readonly limits: RateLimits) {}

  /**
   * @param refusal what to say where no place is left
   * @returns what gives the place back, once
   * @throws {RateLimitedError}
   */
  acquire(name: ConcurrencyLimitName, key: LimitKey, refusal: string): () => void {
    if (this.isFull(name, key)) throw new RateLimitedError(RETRY_AFTER_SECONDS, refusal);
    return this.forceAcquire(name, key);
  }

  /** Takes a place whether or not one is left. @returns what gives it back, once */
  forceAcquire(name: ConcurrencyLimitName, key: LimitKey): () => void {
    const count = this.countOf(`${name}:${key}`);
    count.taken++;
    let left = false;
    return () => {
      if (!left) this.release(count);
      left = true;
    };
  }

  isFull(name: ConcurrencyLimitName, key: LimitKey): boolean {
    return (this.counts.get(`${name}:${key}`)?.taken ?? 0) >= this.limits.maximum(name);
  }

  private countOf(key: string): Count {
    let count = this.counts.get(key);
    if (!count) this.counts.set(key, (count = { key, taken: 0 }));
    return count;
  }

  private release(count: Count): void {
    if (--count.taken === 0) this.counts.delete(count.key);
  }
}
