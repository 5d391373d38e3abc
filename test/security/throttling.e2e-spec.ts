import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { onRedis } from '../support/infrastructure/database.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Answer } from '../support/clients/http.js';
import { until } from '../support/infrastructure/until.js';

/** @returns a public IPv6 address in an unused /64 */
const newAddress = () => `2a01:${hex()}:${hex()}:${hex()}::1`;
const hex = () => randomBytes(2).toString('hex');
const from = (address: string) => ({ 'X-Forwarded-For': address });

interface Limits {
  limit: number;
  remaining: number;
  reset: number;
}

function limitsIn({ headers }: Answer<unknown>): Limits {
  const [limit, remaining, reset] = ['Limit', 'Remaining', 'Reset'].map((name) =>
    Number(headers.get(`RateLimit-${name}`)),
  );
  return { limit: limit!, remaining: remaining!, reset: reset! };
}

const logIn = (t: TestApp, headers: Record<string, string> = {}) =>
  t.http.post(
    '/auth/login',
    { email: `${randomUUID()}@example.com`, password: 'not the right one' },
    headers,
  );

async function statuses(count: number, request: () => Promise<Answer<unknown>>): Promise<number[]> {
  const seen: number[] = [];
  for (let i = 0; i < count; i++) seen.push((await request()).status);
  return seen;
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

/** Creates an account from unused addresses, because it costs two calls with credentials. */
async function signUp(t: TestApp): Promise<Record<string, string>> {
  const account = {
    username: randomUUID(),
    email: `${randomUUID()}@example.com`,
    password: 'a long enough password',
  };
  expect((await t.http.post('/auth/register', account, from(newAddress()))).status).toBe(201);
  const { email, password } = account;
  const { body } = await t.http.post<{ access_token: string }>(
    '/auth/login',
    { email, password },
    from(newAddress()),
  );
  return { Authorization: `Bearer ${body.access_token}` };
}

describe('behind a trusted proxy, with limits at a twentieth', () => {
  // general and unauthenticated: 30 per minute; credentials: 1
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.05', TRUST_PROXY: 'loopback' } });
  });
  afterAll(() => t?.stop());

  it('counts a user’s requests from all addresses together', async () => {
    const [ada, ben] = [await signUp(t), await signUp(t)];
    const call = (who: Record<string, string>, address = newAddress()) =>
      t.http.get('/auth/me', { ...who, ...from(address) });
    const shared = newAddress();

    expect(await statuses(31, () => call(ada))).toEqual([...times(30, 200), 429]);
    expect((await call(ada, shared)).status).toBe(429);
    expect((await call(ben, shared)).status).toBe(200);
  });

  it('returns the remaining budget', async () => {
    const ada = await signUp(t);

    const [first, second] = [await t.http.get('/auth/me', ada), await t.http.get('/auth/me', ada)];

    expect(limitsIn(first)).toMatchObject({ limit: 30, remaining: 29 });
    expect(limitsIn(second)).toMatchObject({ limit: 30, remaining: 28 });
    expect(limitsIn(second).reset).toBeGreaterThan(0);
    expect(limitsIn(second).reset).toBeLessThanOrEqual(60);
    expect(first.headers.has('Retry-After')).toBe(false);
  });

  it('refuses with a problem and Retry-After', async () => {
    const address = newAddress();
    await logIn(t, from(address));

    const refused = await logIn(t, from(address));

    expect(refused.status).toBe(429);
    expect(refused.headers.get('Content-Type')).toMatch(/^application\/problem\+json/);
    expect(refused.body).toMatchObject({ status: 429, code: 'rate_limited', title: 'Too Many Requests' });
    const { limit, remaining, reset } = limitsIn(refused);
    expect({ limit, remaining }).toEqual({ limit: 1, remaining: 0 });
    expect(Number(refused.headers.get('Retry-After'))).toBe(reset);
    expect(reset).toBeGreaterThan(50);
  });

  it('treats an IPv6 /64 as one address', async () => {
    const subnet = newAddress().replace(/::1$/, '');

    expect((await logIn(t, from(`${subnet}::1`))).status).toBe(401);
    expect((await logIn(t, from(`${subnet}:aaaa::2`))).status).toBe(429);
    expect((await logIn(t, from(newAddress()))).status).toBe(401);
  });

  it('counts calls with credentials per address, all together', async () => {
    const address = from(newAddress());

    expect((await logIn(t, address)).status).toBe(401);
    expect((await t.http.post('/auth/refresh', { refresh_token: 'x' }, address)).status).toBe(429);
    expect((await t.http.post('/auth/register', {}, address)).status).toBe(429);
  });

  it('refuses only the address with too many failed requests', async () => {
    const address = from(newAddress());
    const forged = { ...address, Authorization: 'Bearer forged' };

    expect(await statuses(30, () => t.http.get('/auth/me', forged))).toEqual(times(30, 401));

    const refused = await t.http.get('/auth/me', forged);
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect((await t.http.get('/nothing/here', address)).status).toBe(429);
    // The invalid body, which would be 400, is not parsed.
    expect((await t.http.post('/auth/login', '{', address)).status).toBe(429);
    expect((await t.http.get('/auth/me', { ...forged, ...from(newAddress()) })).status).toBe(401);
    expect((await t.http.get('/health/live', address)).status).toBe(200);
  });

  it('counts requests aborted before their answer too', async () => {
    const address = newAddress();
    const head = `POST /auth/login HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${address}\r\n`;
    const leaveEarly = async () => {
      const socket = connect(Number(new URL(t.url).port), '127.0.0.1');
      socket.write(
        `${head}Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n`,
      );
      await once(socket, 'data'); // 100 Continue: the server waits for the body now
      socket.resetAndDestroy();
    };
    for (let i = 0; i < 30; i++) await leaveEarly();

    // Successful requests are not counted.
    await until(async () => (await t.http.get('/openapi.json', from(address))).status === 429);
    expect((await t.http.get('/openapi.json', from(newAddress()))).status).toBe(200);
  });

  it('counts unknown paths, but not preflights or successful requests', async () => {
    const ada = await signUp(t);
    const address = from(newAddress());
    const preflight = {
      ...address,
      Origin: 'https://app.example.com',
      'Access-Control-Request-Method': 'GET',
    };

    await statuses(35, () => t.http.request('OPTIONS', '/auth/me', undefined, preflight));
    await statuses(20, () => t.http.get('/auth/me', { ...ada, ...address }));

    expect(await statuses(31, () => t.http.get('/nothing/here', address))).toEqual([...times(30, 404), 429]);
  });
});

describe('without a trusted proxy', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: '1' } });
  });
  afterAll(() => t?.stop());

  it('ignores X-Forwarded-For, and allows 20 calls with credentials a minute', async () => {
    const seen = await statuses(21, () => logIn(t, from(newAddress())));

    expect(seen).toEqual([...times(20, 401), 429]);
  });
});

describe('with limits switched off', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: '0' } });
  });
  afterAll(() => t?.stop());

  it('limits nothing, and sends no rate limit headers', async () => {
    const answers = [];
    for (let i = 0; i < 25; i++) answers.push(await t.http.post('/auth/refresh', { refresh_token: 'x' }));

    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401));
    expect(answers[0]!.headers.has('RateLimit-Limit')).toBe(false);
  });
});

onRedis('two nodes on one Redis', (REDIS_URL) => {
  let one: TestApp;
  let two: TestApp;
  beforeAll(async () => {
    one = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.1', TRUST_PROXY: 'loopback', REDIS_URL } });
    two = await one.startNode();
  });
  afterAll(async () => {
    await two?.stop();
    await one?.stop();
  });

  it('share a budget', async () => {
    const address = from(newAddress());

    expect((await logIn(one, address)).status).toBe(401);
    expect((await logIn(two, address)).status).toBe(401);
    expect((await logIn(one, address)).status).toBe(429);
    expect((await logIn(two, address)).status).toBe(429);
  });
});

describe('with an unavailable Redis', () => {
  let t: TestApp;
  afterEach(() => t?.stop());

  it('starts, answers and limits in memory', async () => {
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.1', REDIS_URL: 'redis://127.0.0.1:1' } });

    expect(await statuses(3, () => logIn(t))).toEqual([401, 401, 429]);
  });
});
