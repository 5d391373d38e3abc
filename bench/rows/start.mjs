import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Parley } from '../support/parley.mjs';
import { median, summary } from '../support/stats.mjs';

const IDLE_SECONDS = 10;

/** Time from the command to readiness, and idle memory, on the embedded database. */
export const start = {
  name: 'start',
  ownStage: true,
  async run({ rounds, nodeOptions }) {
    const folder = await mkdtemp(join(tmpdir(), 'parley-bench-'));
    const runs = [];
    // The first start creates the database and is not counted.
    for (let round = 0; round <= rounds; round++) runs.push(await measure(folder, nodeOptions, round));
    await rm(folder, { recursive: true, force: true });
    const seconds = runs.slice(1).map(({ startMs }) => startMs / 1000);
    const megabytes = runs.slice(1).map(({ bytes }) => bytes / 1024 ** 2);
    return [
      {
        what: 'start to ready, s',
        goal: '≤ 1.2',
        figure: median(seconds),
        met: median(seconds) <= 1.2,
        details: { ...summary(seconds, 2), first: runs[0].startMs / 1000 },
      },
      {
        what: `resident after ${IDLE_SECONDS} s of nothing, MB`,
        goal: '≤ 130',
        figure: median(megabytes),
        met: median(megabytes) <= 130,
        details: summary(megabytes, 0),
      },
    ];
  },
};

async function measure(folder, nodeOptions, round) {
  const parley = await Parley.start(folder, { nodeOptions });
  if (round > 0) await delay(IDLE_SECONDS * 1000);
  const result = { startMs: parley.startMs, bytes: parley.residentNow() };
  await parley.stop();
  return result;
}
