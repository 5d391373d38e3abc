import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { MAX_WAITING_BYTES, type Outlet } from './backpressure.js';

/** Polled, because ws emits no event when its buffer has drained. */
const POLL_INTERVAL_MS = 20;

/** Runs commands with long answers one after another, each once the previous answer is no longer buffered. */
export class PacedCommands {
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly outlet: Outlet,
    private readonly isOpen: () => boolean,
  ) {}

  run<T>(command: () => Promise<T>): Promise<T> {
    const result = this.last.then(() => this.drained()).then(command);
    // The answer is written before the next iteration of the event loop.
    this.last = result.then(setImmediate, setImmediate);
    return result;
  }

  private async drained(): Promise<void> {
    while (this.isOpen() && this.outlet.bufferedAmount > MAX_WAITING_BYTES) await delay(POLL_INTERVAL_MS);
  }
}
