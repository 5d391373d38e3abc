/** Interval between rounds of reads, from an idle to a saturated event loop. */
const MIN_INTERVAL_MS = 1;
const MAX_INTERVAL_MS = 40;
/** Event-loop utilization above which the interval grows. */
const BUSY_UTILIZATION = 0.8;
const ADAPT_EVERY_MS = 100;

/**
 * Coalesces reads of provider streams into rounds. Reads in one round share warm caches; the interval grows from 1 to
 * 40 ms with the load of the event loop.
 */
export class ReadCoalescer {
  private waiting: (() => void)[] = [];
  private timer?: NodeJS.Timeout;
  private lastAt = 0;
  private intervalMs = MIN_INTERVAL_MS;
  private adaptedAt = performance.now();
  private utilization = performance.eventLoopUtilization();

  /** @param read called once, now or in the next round */
  schedule(read: () => void): void {
    this.waiting.push(read);
    if (this.timer) return;
    const delayMs = this.lastAt + this.intervalMs - performance.now();
    if (delayMs <= 0) this.run();
    else this.timer = setTimeout(() => this.run(), delayMs);
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
