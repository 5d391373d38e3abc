import { jest } from '@jest/globals';
import fc from 'fast-check';
import { setImmediate as immediate } from 'node:timers/promises';
import {
  createParley,
  memoryStorage,
  type Parley,
  ParleyError,
  type ParleyStorage,
  type Readable,
} from '../../../sdk/typescript/src/index.js';
import { PlayedNetwork } from './played-network.js';

const BASE_URL = 'http://played';
const SESSION = { user: { id: 1 }, access_token: 'a', refresh_token: 'r', expires_in: 1e9 };
/** Virtual time that passes while nothing arrives, and how often: longer than an acknowledgement may take. */
const TICK_MS = 1500;
const BUSY_TICKS = 15;
const IDLE_TICKS = 3;
const MAX_TICKS = 1000;

/** A client of a played server, checked after everything that it receives. Time is Jest's. */
export abstract class PlayedRun {
  readonly network = new PlayedNetwork();
  parley: Parley;
  private readonly storage: ParleyStorage;
  private failure: unknown;

  constructor() {
    const session = JSON.stringify({ ...SESSION, obtained_at: Date.now() });
    this.storage = memoryStorage({ [`parley:${BASE_URL}`]: session });
    this.parley = this.open();
  }

  /** Everything that is under way arrives at once. */
  async arrive(): Promise<void> {
    await this.arrived();
    for (let moves = this.network.moves; moves.length > 0; moves = this.network.moves) {
      moves.forEach((move) => move());
      await this.arrived();
      await immediate();
    }
  }

  /** Begins anew with what is stored, as a page does that is loaded again. */
  async reload(): Promise<void> {
    await immediate();
    this.parley.close();
    this.parley = this.open();
  }

  /** Throws if what the client shows cannot be. */
  abstract check(): void;

  /** Throws unless the client shows what the model has. */
  abstract checkEnd(): void | Promise<void>;

  /** Lets one packet arrive. */
  async move(n: number): Promise<void> {
    await immediate();
    const { moves } = this.network;
    moves[n % moves.length]?.();
    await this.arrived();
  }

  async pass(ms: number): Promise<void> {
    jest.advanceTimersByTime(ms);
    await this.arrived();
  }

  /** Everything arrives, until nothing happens any more. */
  async settle(): Promise<void> {
    this.network.become('live');
    for (let idle = 0, ticks = 0; idle < (this.isBusy ? BUSY_TICKS : IDLE_TICKS); ticks++) {
      if (ticks > MAX_TICKS) throw new Error('It does not settle.');
      await immediate();
      const { moves } = this.network;
      moves.forEach((move) => move());
      if (moves.length > 0 || this.goOn()) idle = 0;
      else idle++;
      await this.pass(TICK_MS);
    }
  }

  close(): void {
    this.parley.close();
    jest.clearAllTimers();
  }

  private async arrived(): Promise<void> {
    await immediate();
    if (this.failure) throw this.failure;
  }

  private open(): Parley {
    const parley = createParley({
      baseUrl: BASE_URL,
      storage: this.storage,
      fetch: this.network.fetch,
      reconnect: { initialMs: 100, maxMs: 1000 },
    });
    this.network.carry(parley.connection);
    return parley;
  }

  /** Whether the client waits for something. */
  protected abstract get isBusy(): boolean;

  /** Checks each state of a store. A failure is kept: the client may take it for one of its own. */
  protected watch(store: Readable<unknown>): void {
    store.subscribe(() => {
      try {
        this.check();
      } catch (error) {
        this.failure ??= error;
      }
    });
  }

  /** Ends what the client waits for. @returns whether there was anything */
  protected goOn(): boolean {
    return false;
  }
}

/** A step of a property, by its name in counterexamples. */
export class Step<Run> {
  constructor(
    private readonly name: string,
    readonly act: (run: Run) => unknown,
  ) {}

  [fc.toStringMethod](): string {
    return this.name;
  }
}

export const step = <Run>(name: string, act: (run: Run) => unknown) => fc.constant(new Step<Run>(name, act));

export const counted = <Run>(name: string, act: (run: Run, n: number) => unknown) =>
  fc.nat(9).map((n) => new Step<Run>(`${name} ${n}`, (run) => act(run, n)));

/** As for another device, whose request the server may refuse. */
export function refusable(request: () => unknown): void {
  try {
    request();
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
  }
}

const losses = [
  counted<PlayedRun>('drop', ({ network }, n) => network.drop(n)),
  counted<PlayedRun>('repeat', ({ network }, n) => network.repeat(n)),
];

/** Faults of a connection that lasts. */
export const lossesOnLine: fc.Arbitrary<Step<PlayedRun>> = fc.oneof(...losses);

export const faults: fc.Arbitrary<Step<PlayedRun>> = fc.oneof(
  step<PlayedRun>('cut', ({ network }) => network.cut()),
  ...losses,
  step<PlayedRun>('offline', ({ network }) => network.become('offline')),
  step<PlayedRun>('blocked', ({ network }) => network.become('blocked')),
  step<PlayedRun>('live', ({ network }) => network.become('live')),
  step<PlayedRun>('reload', (run) => run.reload()),
  step<PlayedRun>('wake', ({ parley }) => parley.wake()),
  fc.constantFrom(50, 1000, 4000).map((ms) => new Step<PlayedRun>(`pass ${ms}`, (run) => run.pass(ms))),
);

/** Steps, each with the packets that arrive after it. */
export const steps = <Run>(...arbitraries: fc.WeightedArbitrary<Step<Run>>[]) =>
  fc.array(fc.tuple(fc.oneof(...arbitraries), fc.array(fc.nat(7), { maxLength: 6 })), {
    maxLength: 40,
    size: 'max',
  });

export async function play<Run extends PlayedRun>(
  run: Run,
  plan: [Step<Run>, number[]][],
  begin?: (run: Run) => Promise<void>,
): Promise<void> {
  try {
    await begin?.(run);
    for (const [{ act }, arrivals] of plan) {
      await act(run);
      for (const n of arrivals) await run.move(n);
    }
    await run.settle();
    await run.checkEnd();
  } finally {
    run.close();
  }
}
