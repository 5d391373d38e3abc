/** Between two rounds: while there is time to spare, and when there is none. Milliseconds. */
const MIN_INTERVAL_MS = 1;
const MAX_INTERVAL_MS = 40;
/** The share of its time that the process is busy from which on rounds are held further apart. */
const BUSY_UTILIZATION = 0.8;
const ADAPT_EVERY_MS = 100;

/**
 * When to read what providers have sent: at once where little comes, and else in rounds. What came meanwhile is handled
 * together, which takes much less time than one by one, with caches that are cold each time; and the less time there is
 * to spare, the more comes together.
 */
export class ReadCoalescer {
  private waiting: (() => void)[] = [];
  private timer?: NodeJS.Timeout;
  private lastAt = 0;
  private intervalMs = MIN_INTERVAL_MS;
  private adaptedAt = performance.now();
  private utilization = performance.eventLoopUtilization();

  /** @param read is called once, at once or in the next round */
  schedule(read: () => void): void {
    this.waiting.push(read);
    if (this.timer) return;
    const early = this.lastAt + this.intervalMs - performance.now();
    if (early <= 0) this.run();
    else this.timer = setTimeout(() => this.run(), early);
  }

  private run(): void {
    this.timer = undefined;
    this.lastAt = performance.now();
    if (this.lastAt - this.adaptedAt > ADAPT_EVERY_MS) this.adaptInterval();
    const { waiting } = this;
    this.waiting = [];
    for (const read of waiting) read();
  }

  private adaptInterval(): void {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.utilization);
    const scarcity = Math.max(0, (utilization - BUSY_UTILIZATION) / (1 - BUSY_UTILIZATION));
    this.intervalMs = MIN_INTERVAL_MS + scarcity * (MAX_INTERVAL_MS - MIN_INTERVAL_MS);
    this.utilization = now;
    this.adaptedAt = this.lastAt;
  }
}
