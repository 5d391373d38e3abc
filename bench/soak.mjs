/**
 * Streams replies to many clients for a long time and verifies every text. Fails if a text is wrong or if the server's
 * memory grows. On the build:
 *
 *   node bench/soak.mjs [minutes, 30 by default] [replies at a time, 1000 by default]
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Stage } from './support/stage.mjs';
import { median } from './support/stats.mjs';

const [minutes = 30, streams = 1000] = process.argv.slice(2).map(Number);
const ROUND_MS = 60_000;
const TOKENS_A_SECOND = 5;
/** Of the last third of the rounds over the first. */
const MAX_GROWTH = 1.1;

const stage = await Stage.open({ mysqlUrl: process.env.TEST_MYSQL_URL, users: streams });
const rounds = [];
try {
  for (let round = 0; round < minutes; round++) {
    rounds.push(await run());
    console.log(`${round + 1}: ${describe(rounds.at(-1))}`);
  }
} finally {
  await stage.close();
}
const third = Math.ceil(rounds.length / 3);
const memory = (some) => median(some.map(({ megabytes }) => megabytes));
const growth = memory(rounds.slice(-third)) / memory(rounds.slice(0, third));
const tokens = rounds.reduce((sum, round) => sum + round.tokens, 0);
console.log(`${rounds.length * streams} texts exact, ${tokens} tokens, memory × ${growth.toFixed(2)}`);
process.exitCode = growth <= MAX_GROWTH ? 0 : 1;

/** Throws if a client receives anything but the provider's text, or a completed reply differs from its pieces. */
async function run() {
  const load = { streams, model: `paced-${TOKENS_A_SECOND}` };
  let measured;
  const tokens = await stage.whileStreaming('socket.io', load, async () => {
    const before = stage.parley.cpuMs();
    await stage.client.ask('measureAges');
    await delay(ROUND_MS);
    const { p50, p99 } = await stage.client.ask('ages');
    const cpuMs = stage.parley.cpuMs() - before;
    measured = { p50, p99, cpuMs, megabytes: (await stage.parley.residentBytes()) / 2 ** 20 };
  });
  return { tokens, ...measured };
}

function describe({ tokens, p50, p99, cpuMs, megabytes }) {
  const busy = Math.round((100 * cpuMs) / ROUND_MS);
  return `${tokens} tokens, delay p50 ${p50} ms, p99 ${p99} ms, CPU ${busy} %, ${megabytes.toFixed(0)} MB`;
}
