import { Injectable } from '@nestjs/common';
import type { Identity } from '../../../auth/identity.js';
import { RateLimitedError, UnauthenticatedError } from '../../../common/errors/errors.js';
import { addressKey } from '../../../throttling/address-key.js';
import { ConcurrencyLimiter } from '../../../throttling/concurrency-limiter.js';
import { RateLimits } from '../../../throttling/rate-limits.js';

/** Fits content of 100,000 characters with every character escaped: `\ud83d\ude00` has twelve bytes. */
export const MAX_FRAME_BYTES = 1.5 * 1024 * 1024;

const TOO_MANY = 'Too many sockets are connected.';

/** A socket that exceeds its budget by this factor is closed. */
const CLOSE_FACTOR = 4;

/** Limits sockets and Socket.IO connections by user and by address. */
@Injectable()
export class SocketLimits {
  constructor(
    private readonly limits: RateLimits,
    private readonly limiter: ConcurrencyLimiter,
  ) {}

  /**
   * Called before authentication.
   * @returns releases the slot
   * @throws {RateLimitedError} if the address has too many sockets
   */
  acquireForAddress(address: string): () => void {
    return this.limiter.acquire('address_connections', addressKey(address), TOO_MANY);
  }

  /**
   * @returns releases the slot
   * @throws {RateLimitedError} if the user has too many sockets
   */
  acquireForUser(userId: number): () => void {
    return this.limiter.acquire('socket_connections', userId, TOO_MANY);
  }

  /** Counts a connection of Engine.IO, which may have any number of sockets. @returns ends the connection's count */
  countConnection(address: string): () => void {
    return this.limiter.forceAcquire('address_handshakes', addressKey(address));
  }

  /** Whether the address has the maximum number of Engine.IO connections. */
  isFull(address: string): boolean {
    return this.limiter.isFull('address_handshakes', addressKey(address));
  }

  /** Counts failures in the address's budget of unauthenticated HTTP requests (see `refuseFloods`). */
  async authenticate(address: string, attempt: () => Promise<Identity>): Promise<Identity> {
    const key = addressKey(address);
    if (await this.limits.isExhausted('unauthenticated', key)) {
      await this.limits.consume('unauthenticated', key);
    }
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof UnauthenticatedError) void this.limits.tryConsume('unauthenticated', key);
      throw error;
    }
  }

  /** Counts one socket's events. */
  meter(): EventMeter {
    return new EventMeter(this.limits.limitOf('socket_events'));
  }
}

export const tooManyEvents = () => new RateLimitedError(1, 'Too many events; slow down.');

/** Counts one socket's events in the current second. */
export class EventMeter {
  private second = 0;
  private events = 0;

  constructor(private readonly allowance: number) {}

  /** @returns `close` for an event that ends the socket */
  count(): 'answer' | 'refuse' | 'close' {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.second) this.events = 0;
    this.second = second;
    this.events++;
    if (this.events <= this.allowance) return 'answer';
    return this.events <= this.allowance * CLOSE_FACTOR ? 'refuse' : 'close';
  }
}
