import { ProviderError } from '../provider/provider.error.js';

/**
 * Ends a request through `signal` when its caller lets go, when the provider keeps us waiting too long, or when the
 * whole takes too long. The signal's reason is what to throw: the caller's own, or an `upstream_timeout`.
 */
export class Watchdog {
  private readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  private readonly follow = () => {
    this.callerLeft = true;
    this.controller.abort(this.caller.reason);
  };
  private total?: NodeJS.Timeout;
  private patience?: NodeJS.Timeout;
  private limit = { milliseconds: Infinity, complaint: '', isDeadline: false };
  /** Of a deadline's time. Milliseconds. */
  private spent = 0;
  private waitingSince?: number;
  private callerLeft = false;
  private readerLeft = false;

  constructor(
    private readonly caller: AbortSignal,
    private readonly totalSeconds: number,
  ) {}

  /** The reader of the reply does not want the rest, which is no failure. */
  get left(): boolean {
    return this.readerLeft;
  }

  /** Nobody wants the rest: neither the caller nor the reader. */
  get abandoned(): boolean {
    return this.readerLeft || this.callerLeft;
  }

  start(): void {
    if (this.caller.aborted) return this.follow();
    this.caller.addEventListener('abort', this.follow, { once: true });
    this.total = setTimeout(() => {
      this.expire(`The provider did not finish within ${this.totalSeconds} seconds.`);
    }, this.totalSeconds * 1000);
  }

  /** From now on a wait for the provider may take this long; with a deadline, all waits together until the next call. */
  allow(seconds: number, complaint: string, { isDeadline = false } = {}): void {
    clearTimeout(this.patience);
    this.patience = this.waitingSince = undefined;
    this.spent = 0;
    this.limit = { milliseconds: seconds * 1000, complaint, isDeadline };
  }

  /** From now on we wait for the provider. Only this counts: how long a reader takes over what it got is its own affair. */
  resume(): void {
    this.waitingSince = performance.now();
    this.patience ??= setTimeout(() => this.look(), this.limit.milliseconds - this.spent);
  }

  pause(): void {
    if (this.limit.isDeadline && this.waitingSince !== undefined) {
      this.spent += performance.now() - this.waitingSince;
    }
    this.waitingSince = undefined;
  }

  async wait<T>(task: Promise<T>): Promise<T> {
    this.resume();
    try {
      return await task;
    } finally {
      this.pause();
    }
  }

  /** Stops the clocks, leaving the connection as it is. */
  stop(): void {
    clearTimeout(this.total);
    clearTimeout(this.patience);
    this.caller.removeEventListener('abort', this.follow);
  }

  /** Stops the clocks and closes the connection, if it is still in use. */
  close(): void {
    this.stop();
    this.controller.abort();
  }

  leave(): void {
    this.readerLeft = true;
    this.close();
  }

  /** Looks rarely: a timer that is set anew for every token costs more than reading it. */
  private look(): void {
    this.patience = undefined;
    if (this.waitingSince === undefined) return;
    const left = this.waitingSince + this.limit.milliseconds - this.spent - performance.now();
    if (left > 0) this.patience = setTimeout(() => this.look(), Math.ceil(left));
    else this.expire(this.limit.complaint);
  }

  private expire(complaint: string): void {
    this.controller.abort(new ProviderError('upstream_timeout', complaint));
  }
}
