import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { MAX_WAITING_BYTES, type Outlet } from './backpressure.js';

/** ws emits no event when its buffer has drained. */
const LOOK_MS = 20;

/** Runs commands with long answers one after another, each once the previous answer is no longer buffered. */
export class PacedTurns {
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly outlet: Outlet,
    private readonly isOpen: () => boolean,
  ) {}

  run<T>(command: () => Promise<T>): Promise<T> {
    const turn = this.last.then(() => this.drained()).then(command);
    // The answer is written before the next tick of the event loop.
    this.last = turn.then(nextTurn, nextTurn);
    return turn;
  }

  private async drained(): Promise<void> {
    while (this.isOpen() && this.outlet.bufferedAmount > MAX_WAITING_BYTES) await delay(LOOK_MS);
  }
}
