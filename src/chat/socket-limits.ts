import { Injectable } from '@nestjs/common';
import { RateLimitedError } from '../common/errors.js';
import { RateLimits } from '../throttling/rate-limits.js';

/** A content of 100,000 characters fits, however it is escaped. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/** A socket that goes on beyond its budget by this factor is closed rather than answered. */
const PATIENCE = 4;

/** Counts sockets, of either kind, by user and by address. */
@Injectable()
export class SocketLimits {
  private readonly counts = new Map<string, number>();

  constructor(private readonly limits: RateLimits) {}

  /**
   * @returns what gives the place back
   * @throws {RateLimitedError} where the user or the address has too many
   */
  admit(userId: number, address: string): () => void {
    const places = [
      { key: `user:${userId}`, most: this.limits.maximum('socket_connections') },
      { key: `address:${address}`, most: this.limits.maximum('address_connections') },
    ];
    if (places.some(({ key, most }) => this.count(key) >= most)) {
      throw new RateLimitedError(10, 'Too many sockets are connected.');
    }
    places.forEach(({ key }) => this.counts.set(key, this.count(key) + 1));
    let left = false;
    return () => {
      if (!left) places.forEach(({ key }) => this.leave(key));
      left = true;
    };
  }

  /** Counts one socket's events. */
  meter(): EventMeter {
    return new EventMeter(this.limits.allowance('socket_events'));
  }

  private count(key: string): number {
    return this.counts.get(key) ?? 0;
  }

  private leave(key: string): void {
    const left = this.count(key) - 1;
    if (left > 0) this.counts.set(key, left);
    else this.counts.delete(key);
  }
}

export const tooManyEvents = () => new RateLimitedError(1, 'Too many events; slow down.');

/** One socket's events in the running second. */
export class EventMeter {
  private second = 0;
  private events = 0;

  constructor(private readonly allowance: number) {}

  /** @returns whether the event may be answered, has to be refused, or is one too many for the socket to stay */
  count(): 'answer' | 'refuse' | 'close' {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.second) this.events = 0;
    this.second = second;
    this.events++;
    if (this.events <= this.allowance) return 'answer';
    return this.events <= this.allowance * PATIENCE ? 'refuse' : 'close';
  }
}
