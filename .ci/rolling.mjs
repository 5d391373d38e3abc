/**
 * Upgrades two nodes one after the other, behind HAProxy, while clients of every transport chat: every text exact, every
 * message once, no error that a client cannot repeat, and text again within 2 s.
 * Usage: node .ci/rolling.mjs <folder of the older build>. Needs TEST_MYSQL_URL and TEST_REDIS_URL.
 */
import getPort from 'get-port';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Run } from './clients.mjs';
import * as cluster from './cluster.mjs';

const MAX_SILENCE_MS = 2000;
const BETWEEN_MS = 3000;

await cluster.main(async () => {
  const older = resolve(process.argv[2]);
  cluster.makeCertificate();
  const model = await cluster.startModel();
  Object.assign(model, { words: 40, pauseMs: 50 });
  const settings = cluster.settings(await cluster.createDatabase(), model);
  const ports = { nodes: [await getPort(), await getPort()] };
  Object.assign(ports, { http: await getPort(), https: await getPort() });
  const log = openSync(join(cluster.work, 'haproxy.log'), 'w');

  const nodes = new cluster.Nodes(ports.nodes, { ...settings, MIGRATE_ON_START: 'false' });
  await migrate(older, settings);
  await nodes.start(0, { cwd: older });
  await nodes.start(1, { cwd: older });
  cluster.start(cluster.haproxy(ports), { stdio: ['ignore', log, log] });
  const url = `https://127.0.0.1:${ports.https}`;
  await cluster.until('HAProxy answers', async () => (await fetch(`${url}/health/ready`)).ok);

  const account = await cluster.signUp(url, model);
  const run = new Run();
  const chats = run.chat(url, account, 2);
  const upgrade = (async () => {
    await delay(BETWEEN_MS);
    await migrate('.', settings);
    for (const n of [0, 1]) {
      await nodes.restart(n);
      await delay(BETWEEN_MS);
    }
  })();
  await Promise.race([upgrade, chats]);
  run.isOver = true;
  await chats;
  const replies = await run.compare(url, account);
  assert.equal(run.interrupted, 0, 'interrupted replies');
  const silence = JSON.stringify(run.silenceMs);
  assert.ok(Math.max(...Object.values(run.silenceMs)) < MAX_SILENCE_MS, `ms without text: ${silence}`);
  console.log(
    `✓ ${replies} replies over an upgrade of two nodes; at most so many ms without text: ${silence}`,
  );
});

/** The command of the image. */
function migrate(cwd, settings) {
  const env = { ...process.env, ...settings, NODE_ENV: 'production' };
  const command = ['node_modules/typeorm/cli.js', 'migration:run', '-d', 'dist/ormconfig.js'];
  return promisify(execFile)(process.execPath, command, { cwd, env });
}
