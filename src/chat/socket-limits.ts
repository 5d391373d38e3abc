import { Injectable } from '@nestjs/common';
import type { Identity } from '../auth/identity.js';
import { RateLimitedError, UnauthenticatedError } from '../common/errors.js';
import { addressKey } from '../throttling/address-key.js';
import { RateLimits } from '../throttling/rate-limits.js';

/** A content of 100,000 characters fits, however it is escaped: `\ud83d\ude00` takes twelve bytes. */
export const MAX_FRAME_BYTES = 1.5 * 1024 * 1024;

/** A socket that goes on beyond its budget by this factor is closed rather than answered. */
const PATIENCE = 4;

/** Counts sockets, of either kind, by user and by address. */
@Injectable()
export class SocketLimits {
  private readonly counts = new Map<string, number>();

  constructor(private readonly limits: RateLimits) {}

  /**
   * Before anybody is signed in.
   * @returns what gives the place back
   * @throws {RateLimitedError} where the address has too many sockets
   */
  admitAddress(address: string): () => void {
    return this.take(`address:${addressKey(address)}`, this.limits.maximum('address_connections'));
  }

  /**
   * @returns what gives the place back
   * @throws {RateLimitedError} where the user has too many sockets
   */
  admitUser(userId: number): () => void {
    return this.take(`user:${userId}`, this.limits.maximum('socket_connections'));
  }

  /** Counts a connection of Socket.IO's, which may have any number of sockets or none. @returns what ends it */
  enter(address: string): () => void {
    return this.take(connectionKey(address), Infinity);
  }

  /** Why an address may have no more connections, if it may not. */
  crowdFault(address: string): RateLimitedError | undefined {
    const count = this.counts.get(connectionKey(address)) ?? 0;
    return count < this.limits.maximum('address_handshakes') ? undefined : tooMany();
  }

  /** Counts what fails against the budget that failing HTTP requests of the address have (see refuseFloods). */
  async authenticate(address: string, attempt: () => Promise<Identity>): Promise<Identity> {
    const key = addressKey(address);
    if (await this.limits.isExhausted('unauthenticated', key)) {
      await this.limits.consume('unauthenticated', key);
    }
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof UnauthenticatedError) void this.limits.take('unauthenticated', key);
      throw error;
    }
  }

  /** Counts one socket's events. */
  meter(): EventMeter {
    return new EventMeter(this.limits.allowance('socket_events'));
  }

  private take(key: string, most: number): () => void {
    const count = this.counts.get(key) ?? 0;
    if (count >= most) throw tooMany();
    this.counts.set(key, count + 1);
    let left = false;
    return () => {
      if (!left) this.leave(key);
      left = true;
    };
  }

  private leave(key: string): void {
    const left = this.counts.get(key)! - 1;
    if (left > 0) this.counts.set(key, left);
    else this.counts.delete(key);
  }
}

const connectionKey = (address: string) => `connection:${addressKey(address)}`;

const tooMany = () => new RateLimitedError(10, 'Too many sockets are connected.');

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
