/**
 * Compares the CPU per token of two builds that stream at the same time, so that other load affects both.
 * `node bench/compare.mjs <socket.io|sse|websocket> <main.js> <other main.js>`; a build's file is dist/server/main.js.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { resolve } from 'node:path';
import { Parley } from './support/parley.mjs';
import { Part } from './support/process.mjs';
import { Stage } from './support/stage.mjs';

const STREAMS = 100;
const WARM_UP_MS = 6_000;
/** Long, because /proc counts CPU in steps of 10 ms; several, to show their spread. */
const SLICES = 3;
const SLICE_MS = 10_000;

const [kind, ...mains] = process.argv.slice(2);
const stage = await Stage.open({
  mysqlUrl: process.env.TEST_MYSQL_URL,
  users: STREAMS * mains.length,
});
const sides = [];
try {
  await stage.accounts.setModel('paced-50');
  for (const main of mains) sides.push(await begin(resolve(main)));
  await stage.provider.ask('go');
  await delay(WARM_UP_MS);
  const slices = [];
  for (let slice = 0; slice < SLICES; slice++) slices.push(await measure());
  for (const [index, main] of mains.entries()) {
    const cost = mean(slices.map((costs) => costs[index]));
    const ratios = slices.map((costs) => costs[index] / costs[0]);
    const each = ratios.map((ratio) => ratio.toFixed(3)).join(', ');
    console.log(`${cost.toFixed(1)} µs a token, ${mean(ratios).toFixed(3)} × the first (${each}): ${main}`);
  }
} finally {
  await Promise.all(sides.flatMap(({ parley, client }) => [parley.stop(), client.stop()]));
  await stage.close();
}

async function begin(main) {
  const client = await Part.start('parts/client.mjs');
  const parley = await Parley.start(stage.folder, { env: stage.env, main });
  const peers = await stage.accounts.peers(STREAMS, sides.length * STREAMS);
  await client.ask('connect', { kind, url: parley.url, peers });
  await client.ask('start', { from: 0, to: STREAMS });
  while ((await stage.provider.ask('streams')) < (sides.length + 1) * STREAMS) {
    await client.ask('throwFailure');
    await delay(5);
  }
  return { client, parley };
}

/** @returns microseconds of CPU per token of each side */
async function measure() {
  const read = () =>
    Promise.all(
      sides.map(async ({ parley, client }) => ({
        cpuMs: parley.cpuMs(),
        tokens: await client.ask('tokens'),
      })),
    );
  const before = await read();
  await delay(SLICE_MS);
  const after = await read();
  return after.map(
    ({ cpuMs, tokens }, side) => ((cpuMs - before[side].cpuMs) * 1000) / (tokens - before[side].tokens),
  );
}

function mean(numbers) {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}
