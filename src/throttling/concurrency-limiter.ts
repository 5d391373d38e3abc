import { Injectable } from '@nestjs/common';
import { RateLimitedError } from '../common/errors/errors.js';
import type { ConcurrencyLimitName } from './limits.js';
import { LimitKey, RateLimits } from './rate-limits.js';

/** When to try again. Nobody knows when a place will be free. */
const RETRY_AFTER_SECONDS = 10;

interface Counter {
  key: string;
  held: number;
}

/** Counts what is there at a time, by user or address, on this node. */
@Injectable()
export class ConcurrencyLimiter {
  private readonly counters = new Map<string, Counter>();

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
