interface Waiting<T, R> {
  item: T;
  resolve(result: R | Promise<R>): void;
  reject(error: unknown): void;
}

export interface BatchOptions {
  /** The most that a batch is of. */
  size: number;
  /** How long an item waits for the batch before its own, at most: then they run side by side. */
  maxWaitMs: number;
}

/**
 * Has what is asked for in one turn of the event loop, or while a batch runs, done together: for work that costs little
 * more for many than for one.
 */
export class BatchLoader<T, R> {
  private waiting: Waiting<T, R>[] = [];
  private running = 0;
  private timer?: NodeJS.Timeout;

  /** @param run resolves to what comes of each item, in their order; where it rejects, they all failed */
  constructor(
    private readonly run: (items: T[]) => Promise<(R | Promise<R>)[]>,
    private readonly options: BatchOptions,
  ) {}

  load(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (this.waiting.length === 1) this.schedule();
    });
  }

  private schedule(): void {
    const runBatch = () => void this.begin();
    if (this.running === 0) setImmediate(runBatch);
    else this.timer = setTimeout(runBatch, this.options.maxWaitMs);
  }

  private async begin(): Promise<void> {
    clearTimeout(this.timer);
    const batch = this.waiting.splice(0, this.options.size);
    if (batch.length === 0) return;
    this.running++;
    if (this.waiting.length > 0) this.schedule();
    try {
      const results = await this.run(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, index) => resolve(results[index]!));
    } catch (error) {
      batch.forEach(({ reject }) => reject(error));
    }
    if (--this.running === 0) void this.begin();
  }
}
