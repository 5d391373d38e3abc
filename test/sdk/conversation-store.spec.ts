import { afterAll, beforeAll, describe, it, jest } from '@jest/globals';
import fc from 'fast-check';
import {
  counted,
  faults,
  lossesOnLine,
  play,
  refusable,
  step,
  Step,
  steps,
} from '../support/clients/played-run.js';
import { StoreRun } from '../support/clients/store-run.js';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 12) * 12;

jest.setTimeout(120_000);

type Run = StoreRun;

const text = fc.constantFrom('a', 'ab', 'ba', '👋', 'Grüße', '\n');
const streaming = fc.oneof(
  text.map((said) => new Step<Run>(`say ${said}`, ({ model }) => model.say(said))),
  text.map((said) => new Step<Run>(`think ${said}`, ({ model }) => model.say(said, 'reasoning'))),
);
const own = fc.oneof(
  step<Run>('send', (run) => run.send()),
  counted<Run>('edit', (run, n) => run.edit(n)),
  step<Run>('regenerate', (run) => run.regenerate()),
  step<Run>('stop', (run) => run.stop()),
  counted<Run>('activate', (run, n) => run.activate(n)),
  step<Run>('load earlier', (run) => run.loadEarlier()),
);
/** A turn of another device, with its whole reply if it is long enough. */
const elsewhere = (name: string, act: (run: Run, n: number) => unknown) =>
  counted<Run>(`${name} elsewhere`, (run, n) => {
    refusable(() => act(run, n));
    if (n < 7) run.model.end();
  });
const activation = elsewhere('activate', ({ model }, n) => model.activate(model.anyOf('assistant', n)));
const another = fc.oneof(
  elsewhere('send', ({ model }, n) => model.send({ content: `Theirs ${n}` })),
  elsewhere('edit', ({ model }, n) => model.edit(model.anyOf('user', n), { content: `Their edit ${n}` })),
  elsewhere('regenerate', ({ model }, n) => model.regenerate(model.anyOf('assistant', n))),
  activation,
  elsewhere('stop', ({ model }) => model.stop()),
  counted<Run>('rename', ({ model }, n) => model.rename(`Title ${n}`)),
);
const endings = fc.oneof(
  step<Run>('end', ({ model }) => model.end()),
  step<Run>('fail', ({ model }) => model.end('failed')),
  step<Run>('crash', ({ model }) => model.crash()),
  step<Run>('restart', ({ model }) => model.restart()),
);

describe('the conversation store of @parley/client', () => {
  beforeAll(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  });
  afterAll(() => void jest.useRealTimers());

  const holds = (plans: fc.Arbitrary<[Step<Run>, number[]][]>, begin?: (run: Run) => Promise<void>) =>
    fc.assert(
      fc.asyncProperty(plans, fc.boolean(), (plan, answersFirst) =>
        play(new StoreRun(answersFirst), plan, begin),
      ),
      { numRuns: RUNS },
    );

  it('shows the model’s branch in the end, and a part of it at any moment, whatever the network does', () =>
    holds(
      steps<Run>(
        { arbitrary: streaming, weight: 5 },
        { arbitrary: own, weight: 3 },
        { arbitrary: another, weight: 3 },
        { arbitrary: faults, weight: 3 },
        { arbitrary: endings, weight: 1 },
      ),
    ));

  it('never garbles a running text that loses and repeats deltas', () =>
    holds(
      steps<Run>(
        { arbitrary: streaming, weight: 8 },
        { arbitrary: lossesOnLine, weight: 4 },
        { arbitrary: endings, weight: 1 },
        { arbitrary: own, weight: 1 },
      ),
      (run) => run.begin(),
    ));

  it('follows the active branch, however late it is read', () =>
    holds(
      steps<Run>(
        { arbitrary: another, weight: 4 },
        { arbitrary: own, weight: 2 },
        { arbitrary: faults, weight: 2 },
        { arbitrary: streaming, weight: 1 },
      ),
      (run) => run.begin(),
    ));

  it('shows the branch that was activated last, here or elsewhere', () =>
    holds(
      steps<Run>(
        { arbitrary: counted<Run>('activate', (run, n) => run.activate(n)), weight: 2 },
        { arbitrary: activation, weight: 2 },
        { arbitrary: faults, weight: 1 },
      ),
      (run) => run.beginWithBranches(),
    ));
});
