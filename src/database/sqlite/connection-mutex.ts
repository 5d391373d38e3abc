/** Longest run of statements between two ticks of the event loop. */
const MAX_BUSY_MS = 5;

/**
 * Mutex of the SQLite connection, first come, first served. SQLite's statements block the process, so the mutex yields
 * to the event loop between them.
 */
export class ConnectionMutex {
  private last: Promise<void> = Promise.resolve();
  /** When holders started to follow each other without a tick of the event loop. */
  private busySince?: number;

  /** @returns releases the mutex */
  async acquire(): Promise<() => void> {
    const previous = this.last;
    let release!: () => void;
    this.last = new Promise((resolve) => (release = resolve));
    await previous;
    this.busySince ??= this.startBusy();
    return () => {
      if (performance.now() - (this.busySince ?? Infinity) > MAX_BUSY_MS) setImmediate(release);
      else release();
    };
  }

  private startBusy(): number {
    setImmediate(() => (this.busySince = undefined));
    return performance.now();
  }
}
