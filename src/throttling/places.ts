import { Injectable } from '@nestjs/common';
import { RateLimitedError } from '../common/errors.js';
import type { ConcurrencyLimitName } from './limits.js';
import { LimitKey, RateLimits } from './rate-limits.js';

/** When to try again. Nobody knows when a place will be free. */
const RETRY_AFTER_SECONDS = 10;

/** Counts what is there at a time, by user or address, on this node. */
@Injectable()
export class Places {
  private readonly counts = new Map<string, number>();

  constructor(private readonly limits: RateLimits) {}

  /**
   * @param refusal what to say where no place is left
   * @returns what gives the place back, once
   * @throws {RateLimitedError}
   */
  take(name: ConcurrencyLimitName, key: LimitKey, refusal: string): () => void {
    if (this.isFull(name, key)) throw new RateLimitedError(RETRY_AFTER_SECONDS, refusal);
    return this.enter(name, key);
  }

  /** Takes a place whether or not one is left. @returns what gives it back, once */
  enter(name: ConcurrencyLimitName, key: LimitKey): () => void {
    const place = `${name}:${key}`;
    this.counts.set(place, (this.counts.get(place) ?? 0) + 1);
    let left = false;
    return () => {
      if (!left) this.leave(place);
      left = true;
    };
  }

  isFull(name: ConcurrencyLimitName, key: LimitKey): boolean {
    return (this.counts.get(`${name}:${key}`) ?? 0) >= this.limits.maximum(name);
  }

  private leave(place: string): void {
    const left = this.counts.get(place)! - 1;
    if (left > 0) this.counts.set(place, left);
    else this.counts.delete(place);
  }
}
