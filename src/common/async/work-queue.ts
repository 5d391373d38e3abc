/** Thrown when the queue is full. */
export class QueueFullError extends Error {}

/** Runs work with limited concurrency, first in, first out, and with a limited queue. */
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

  /** Passes the slot to the next in the queue, so that new work cannot overtake it. */
  private releaseSlot(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.running--;
  }
}
