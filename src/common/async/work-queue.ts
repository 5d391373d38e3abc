/** Thrown where the queue is full. */
export class QueueFullError extends Error {}

/** Runs so much work at a time, first come, first served, and lets only so much wait. */
export class WorkQueue {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(
    private readonly concurrency: number,
    private readonly maxWaiting: number,
  ) {}

  /** @throws {QueueFullError} */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.waitForSlot();
    try {
      return await work();
    } finally {
      this.releaseSlot();
    }
  }

  private async waitForSlot(): Promise<void> {
    if (this.running < this.concurrency) {
      this.running++;
      return;
    }
    if (this.waiting.length >= this.maxWaiting) throw new QueueFullError();
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Hands the turn on, so that nobody slips in between. */
  private releaseSlot(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.running--;
  }
}
