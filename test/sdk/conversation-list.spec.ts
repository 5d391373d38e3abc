import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import type { UpdateConversation } from '../../sdk/typescript/src/index.js';
import { ListRun } from '../support/clients/list-run.js';
import { counted, faults, play, refusable, Step, step, steps } from '../support/clients/played-run.js';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 12) * 12;

jest.setTimeout(120_000);

type Run = ListRun;

const own = fc.oneof(
  step<Run>('create', (run) => run.create()),
  counted<Run>('rename', (run, n) => run.update(n, { title: `Mine ${n}` })),
  counted<Run>('pin', (run, n) => run.update(n, { pinned: true })),
  counted<Run>('unpin', (run, n) => run.update(n, { pinned: false })),
  counted<Run>('archive', (run, n) => run.update(n, { archived: true })),
  counted<Run>('delete', (run, n) => run.delete(n)),
  step<Run>('load more', (run) => run.loadMore()),
  step<Run>('refresh', (run) => run.refresh()),
);
const elsewhere = (name: string, act: (run: Run, id: number, n: number) => unknown) =>
  counted<Run>(`${name} elsewhere`, (run, n) => refusable(() => act(run, run.model.any(n * 3), n)));
const another = fc.oneof(
  step<Run>('create elsewhere', ({ model }) => model.create({ title: 'Theirs' })),
  elsewhere('send', ({ model }, id, n) => model.use(id, n % 3)),
  elsewhere('rename', ({ model }, id, n) => model.update(id, { title: `Theirs ${n}` })),
  elsewhere('pin', ({ model }, id) => model.update(id, { pinned: true })),
  elsewhere('unpin', ({ model }, id) => model.update(id, { pinned: false })),
  elsewhere('archive', ({ model }, id) => model.update(id, { archived: true })),
  elsewhere('restore', ({ model }, id) => model.update(id, { archived: false })),
  elsewhere('delete', ({ model }, id) => model.delete(id)),
);

/** Changes of the first conversation of the list, where it stays. */
const ofOne = (whose: string, act: (run: Run, changes: UpdateConversation) => void) =>
  counted<Run>(`${whose} title`, (run, n) => act(run, { title: `${whose} ${n}` }));

describe('the list of conversations of @parley/client', () => {
  beforeAll(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  });
  afterAll(() => void jest.useRealTimers());

  const holds = (plans: fc.Arbitrary<[Step<Run>, number[]][]>, begin?: (run: Run) => Promise<void>) =>
    fc.assert(
      fc.asyncProperty(plans, (plan) => play(new ListRun(), plan, begin)),
      { numRuns: RUNS },
    );

  it('is the model’s list in the end, and in order at any moment, whatever the network does', () =>
    holds(
      steps<Run>(
        { arbitrary: own, weight: 3 },
        { arbitrary: another, weight: 3 },
        { arbitrary: faults, weight: 2 },
      ),
    ));

  it('agrees with the model about a conversation that two devices change at once', () =>
    holds(
      steps<Run>(
        { arbitrary: ofOne('own', (run, changes) => run.update(0, changes)), weight: 2 },
        {
          arbitrary: ofOne('their', ({ model }, changes) => void model.update(model.newest, changes)),
          weight: 2,
        },
        { arbitrary: faults, weight: 1 },
      ),
      (run) => run.arrive(),
    ));

  it('misses nothing where a page was asked for before the session was known', () =>
    play(new ListRun(), [
      [new Step('load more', (run) => run.loadMore()), []],
      [new Step('update elsewhere', ({ model }) => model.update(1, { archived: false })), [3]],
      [new Step('create elsewhere', ({ model }) => model.create({ title: 'Theirs' })), [1]],
      [new Step('unpin', (run) => run.update(0, { pinned: false })), [5]],
    ]));

  it('shows nothing of a user who signs out while their list is read', async () => {
    const run = new ListRun();
    await run.pass(0);
    const signedOut = run.parley.auth.logout();
    await run.pass(0);

    await run.arrive();

    await signedOut;
    expect(run.parley.conversations.getSnapshot().conversations).toEqual([]);
    run.close();
  });
});
