import { ProviderError } from '../provider/provider.error.js';

/**
 * Aborts a request through `signal` when its caller aborts, the provider is silent too long, or the total time is up.
 * The signal's reason is the error to throw: the caller's own, or `upstream_timeout`.
 */
export class Watchdog {
  private readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  private readonly onCallerAbort = () => {
    this.callerAborted = true;
    this.controller.abort(this.caller.reason);
  };
  private totalTimer?: NodeJS.Timeout;
  private waitTimer?: NodeJS.Timeout;
  private limit = { milliseconds: Infinity, message: '', isDeadline: false };
  /** Time counted against a deadline. */
  private waitedMs = 0;
  private waitingSince?: number;
  private callerAborted = false;
  private readerClosed = false;

  constructor(
    private readonly caller: AbortSignal,
    private readonly totalSeconds: number,
  ) {}

  /** The reader closed the iterator, which is not a failure. */
  get closedByReader(): boolean {
    return this.readerClosed;
  }

  /** Neither the caller nor the reader needs the rest. */
  get cancelled(): boolean {
    return this.readerClosed || this.callerAborted;
  }

  start(): void {
    if (this.caller.aborted) return this.onCallerAbort();
    this.caller.addEventListener('abort', this.onCallerAbort, { once: true });
    this.totalTimer = setTimeout(() => {
      this.expire(`The provider did not finish within ${this.totalSeconds} seconds.`);
    }, this.totalSeconds * 1000);
  }

  /** Limits each wait for the provider; with `isDeadline`, all waits together until the next call. */
  setWaitLimit(seconds: number, message: string, { isDeadline = false } = {}): void {
    clearTimeout(this.waitTimer);
    this.waitTimer = this.waitingSince = undefined;
    this.waitedMs = 0;
    this.limit = { milliseconds: seconds * 1000, message, isDeadline };
  }

  /** Starts a wait. Only waits count, not the time that a reader takes. */
  resume(): void {
    this.waitingSince = performance.now();
    this.waitTimer ??= setTimeout(() => this.checkWait(), this.limit.milliseconds - this.waitedMs);
  }

  pause(): void {
    if (this.limit.isDeadline && this.waitingSince !== undefined) {
      this.waitedMs += performance.now() - this.waitingSince;
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

  /** Stops the timers; keeps the connection. */
  stop(): void {
    clearTimeout(this.totalTimer);
    clearTimeout(this.waitTimer);
    this.caller.removeEventListener('abort', this.onCallerAbort);
  }

  /** Stops the timers and closes the connection if it is in use. */
  close(): void {
    this.stop();
    this.controller.abort();
  }

  closeByReader(): void {
    this.readerClosed = true;
    this.close();
  }

  /** Checks once per limit: resetting a timer for every token is expensive. */
  private checkWait(): void {
    this.waitTimer = undefined;
    if (this.waitingSince === undefined) return;
    const leftMs = this.waitingSince + this.limit.milliseconds - this.waitedMs - performance.now();
    if (leftMs > 0) this.waitTimer = setTimeout(() => this.checkWait(), Math.ceil(leftMs));
    else this.expire(this.limit.message);
  }

  private expire(message: string): void {
    this.controller.abort(new ProviderError('upstream_timeout', message));
  }
}
