/**
 * Checks that the time of a failed login, or of a forgotten password, does not reveal whether an account exists: the
 * medians of 200 interleaved calls with a known and an unknown email may differ by 5 %. Run against an idle server without
 * limits:
 *
 *   RATE_LIMIT_SCALE=0 node .
 *   BASE_URL=http://127.0.0.1:3000 node bench/account-timing.mjs login|forgot
 */
import { randomUUID } from 'node:crypto';
import { median } from './support/stats.mjs';

const TRIES = 200;
const WARM_UP = 20;
const MOST_DIFFERENCE = 0.05;
const base = process.env.BASE_URL ?? 'http://127.0.0.1:3000';

async function post(path, body) {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, body: text && JSON.parse(text) };
}

const newEmail = () => `${randomUUID()}@example.com`;
const password = 'not the right one';

const CALLS = {
  login: { path: '/auth/login', body: (email) => ({ email, password }), expected: 401 },
  forgot: { path: '/auth/password/forgot', body: (email) => ({ email }), expected: 202 },
};
const call = CALLS[process.argv[2] ?? 'login'];

async function timeCall(email) {
  const start = performance.now();
  const { status, body } = await post(call.path, call.body(email));
  const ms = performance.now() - start;
  if (status !== call.expected) throw new Error(`Answered ${status}: is RATE_LIMIT_SCALE 0?`);
  return { ms, answer: JSON.stringify(body && { ...body, request_id: '' }) };
}

const email = newEmail();
const account = { username: randomUUID(), email, password: randomUUID() };
if ((await post('/auth/register', account)).status !== 201) throw new Error('Registration failed.');
const times = { known: [], unknown: [] };
const answers = new Set();
for (let i = 0; i < WARM_UP + TRIES; i++) {
  // Alternates the order, so that its effects are shared.
  for (const who of i % 2 ? ['known', 'unknown'] : ['unknown', 'known']) {
    const { ms, answer } = await timeCall(who === 'known' ? email : newEmail());
    answers.add(answer);
    if (i >= WARM_UP) times[who].push(ms);
  }
}
const known = median(times.known);
const unknown = median(times.unknown);
const difference = Math.abs(known - unknown) / Math.min(known, unknown);
console.log(
  `known ${known.toFixed(2)} ms, unknown ${unknown.toFixed(2)} ms: ${(difference * 100).toFixed(1)} % apart`,
);
console.log(answers.size === 1 ? 'the same body' : `${answers.size} different bodies`);
process.exitCode = difference <= MOST_DIFFERENCE && answers.size === 1 ? 0 : 1;
