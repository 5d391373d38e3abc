import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { MAX_WAITING_BYTES, type Outlet } from './backpressure.js';

/** ws does not tell when its client has taken what waited. */
const LOOK_MS = 20;

/** Runs commands with long answers one after the other, each once the client has taken the answer before. */
export class PacedTurns {
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly outlet: Outlet,
    private readonly isOpen: () => boolean,
  ) {}

  run<T>(command: () => Promise<T>): Promise<T> {
    const turn = this.last.then(() => this.drained()).then(command);
    // The answer is written by the next turn of the event loop.
    this.last = turn.then(nextTurn, nextTurn);
    return turn;
  }

  private async drained(): Promise<void> {
    while (this.isOpen() && this.outlet.bufferedAmount > MAX_WAITING_BYTES) await delay(LOOK_MS);
  }
}
