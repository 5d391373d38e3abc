interface Waiting<T, R> {
  item: T;
  resolve(result: R | Promise<R>): void;
  reject(error: unknown): void;
}

export interface BatchOptions {
  maxBatchSize: number;
  /** Maximum time that an item waits for the running batch before the next batch starts beside it. */
  maxWaitMs: number;
}

/** Collects items added in one tick, or while a batch runs, and processes them together. */
export class BatchLoader<T, R> {
  private waiting: Waiting<T, R>[] = [];
  private running = 0;
  private timer?: NodeJS.Timeout;

  /**
   * @param batchLoad returns results in the order of the items; the next batch does not wait for those that are promises.
   * Rejecting fails all items of the batch.
   */
  constructor(
    private readonly batchLoad: (items: T[]) => Promise<(R | Promise<R>)[]>,
    private readonly options: BatchOptions,
  ) {}

  load(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (this.waiting.length === 1) this.schedule();
    });
  }

  private schedule(): void {
    const dispatch = () => void this.dispatch();
    if (this.running === 0) setImmediate(dispatch);
    else this.timer = setTimeout(dispatch, this.options.maxWaitMs);
  }

  private async dispatch(): Promise<void> {
    clearTimeout(this.timer);
    const batch = this.waiting.splice(0, this.options.maxBatchSize);
    if (batch.length === 0) return;
    this.running++;
    if (this.waiting.length > 0) this.schedule();
    try {
      const results = await this.batchLoad(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, index) => resolve(results[index]!));
    } catch (error) {
      batch.forEach(({ reject }) => reject(error));
    }
    if (--this.running === 0) void this.dispatch();
  }
}
