import { Injectable } from '@nestjs/common';
import { RateLimitedError } from '../common/errors/errors.js';
import type { ConcurrencyLimitName } from './limits.js';
import { LimitKey, RateLimits } from './rate-limits.js';

/** A guess, because releases cannot be predicted. */
const RETRY_AFTER_SECONDS = 10;

interface Counter {
  key: string;
  held: number;
}

/** Limits what is in use at a time by a user or an address, on this node. */
@Injectable()
export class ConcurrencyLimiter {
  private readonly counters = new Map<string, Counter>();

  constructor(private readonly limits: RateLimits) {}

  /**
   * @param refusal `detail` of the error
   * @returns a function that releases once
   * @throws {RateLimitedError} at the limit
   */
  acquire(name: ConcurrencyLimitName, key: LimitKey, refusal: string): () => void {
    if (this.isFull(name, key)) throw new RateLimitedError(RETRY_AFTER_SECONDS, refusal);
    return this.forceAcquire(name, key);
  }

  /** Acquires even at the limit. @returns a function that releases once */
  forceAcquire(name: ConcurrencyLimitName, key: LimitKey): () => void {
    const counter = this.counterOf(`${name}:${key}`);
    counter.held++;
    let released = false;
    return () => {
      if (!released) this.release(counter);
      released = true;
    };
  }

  isFull(name: ConcurrencyLimitName, key: LimitKey): boolean {
    return (this.counters.get(`${name}:${key}`)?.held ?? 0) >= this.limits.concurrencyLimitOf(name);
  }

  private counterOf(key: string): Counter {
    let counter = this.counters.get(key);
    if (!counter) this.counters.set(key, (counter = { key, held: 0 }));
    return counter;
  }

  private release(counter: Counter): void {
    if (--counter.held === 0) this.counters.delete(counter.key);
  }
}
