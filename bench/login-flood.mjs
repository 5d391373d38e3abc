/**
 * Checks that the server survives 100 simultaneous logins: /health/live must answer within 100 ms and memory must stay
 * bounded. The prober is a separate process, so that the logins' client does not delay it.
 *
 *   RATE_LIMIT_SCALE=0 node .
 *   BASE_URL=http://127.0.0.1:3000 PID=<server> node bench/login-flood.mjs
 */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { percentile } from './support/stats.mjs';

const LOGINS = 100;
const ROUNDS = 3;
const MOST_MS = 100;
const base = process.env.BASE_URL ?? 'http://127.0.0.1:3000';

async function probe() {
  const times = [];
  let stopped = false;
  process.on('message', () => (stopped = true));
  while (!stopped) {
    const start = performance.now();
    await (await fetch(`${base}/health/live`)).text();
    times.push(performance.now() - start);
    await delay(5);
  }
  process.send(times);
  process.disconnect();
}

async function logIn() {
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({ email: `${randomUUID()}@example.com`, password: 'not the right one' });
  const response = await fetch(`${base}/auth/login`, { method: 'POST', headers, body });
  await response.text();
  return response.status;
}

/** Linux only. */
function residentMegabytes() {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${process.env.PID}/status`, 'utf8'))[1];
  return Math.round(kilobytes / 1024);
}

async function flood(round) {
  const prober = fork(import.meta.filename, ['probe']);
  const before = process.env.PID && residentMegabytes();
  await delay(500);
  const statuses = await Promise.all(Array.from({ length: LOGINS }, logIn));
  const during = process.env.PID && residentMegabytes();
  prober.send('stop');
  const [times] = await once(prober, 'message');
  const [p99, max] = [percentile(times, 99), Math.max(...times)];
  console.log(
    `round ${round}: ${[...new Set(statuses)]}; live p99 ${p99.toFixed(0)} ms, max ${max.toFixed(0)} ms; RSS ${before} → ${during} MB`,
  );
  return max;
}

if (process.argv[2] === 'probe') await probe();
else {
  const worst = [];
  for (let round = 1; round <= ROUNDS; round++) worst.push(await flood(round));
  process.exitCode = Math.max(...worst) <= MOST_MS ? 0 : 1;
}
