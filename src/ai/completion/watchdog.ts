import { ProviderError } from '../provider/provider.error.js';

/**
 * Ends a request through `signal` when its caller lets go, when the provider keeps us waiting too long, or when the
 * whole takes too long. The signal's reason is what to throw: the caller's own, or an `upstream_timeout`.
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
  private limit = { milliseconds: Infinity, complaint: '', isDeadline: false };
  /** Of a deadline's time. Milliseconds. */
  private waitedMs = 0;
  private waitingSince?: number;
  private callerAborted = false;
  private readerClosed = false;

  constructor(
    private readonly caller: AbortSignal,
    private readonly totalSeconds: number,
  ) {}

  /** The reader of the reply does not want the rest, which is no failure. */
  get closedByReader(): boolean {
    return this.readerClosed;
  }

  /** Nobody wants the rest: neither the caller nor the reader. */
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

  /** From now on a wait for the provider may take this long; with a deadline, all waits together until the next call. */
  setWaitLimit(seconds: number, complaint: string, { isDeadline = false } = {}): void {
    clearTimeout(this.waitTimer);
    this.waitTimer = this.waitingSince = undefined;
    this.waitedMs = 0;
    this.limit = { milliseconds: seconds * 1000, complaint, isDeadline };
  }

  /** From now on we wait for the provider. Only this counts: how long a reader takes over what it got is its own affair. */
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

  /** Stops the clocks, leaving the connection as it is. */
  stop(): void {
    clearTimeout(this.totalTimer);
    clearTimeout(this.waitTimer);
    this.caller.removeEventListener('abort', this.onCallerAbort);
  }

  /** Stops the clocks and closes the connection, if it is still in use. */
  close(): void {
    this.stop();
    this.controller.abort();
  }

  closeByReader(): void {
    this.readerClosed = true;
    this.close();
  }

  /** Looks rarely: a timer that is set anew for every token costs more than reading it. */
  private checkWait(): void {
    this.waitTimer = undefined;
    if (this.waitingSince === undefined) return;
    const left = this.waitingSince + this.limit.milliseconds - this.waitedMs - performance.now();
    if (left > 0) this.waitTimer = setTimeout(() => this.checkWait(), Math.ceil(left));
    else this.expire(this.limit.complaint);
  }

  private expire(complaint: string): void {
    this.controller.abort(new ProviderError('upstream_timeout', complaint));
  }
}
