import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { AddressInfo, connect, createServer, Server, Socket } from 'node:net';
import { onRedis } from '../../test/support/infrastructure/database.js';
import { MemoryLimitStore } from './memory-limit-store.js';
import { RedisLimitStore } from './redis-limit-store.js';

const budget = { limit: 3, windowMs: 60_000 };
const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
const logged = jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
afterEach(() => void warned.mockClear());
afterAll(() => void jest.restoreAllMocks());

const opened: RedisLimitStore[] = [];
afterEach(() => opened.splice(0).forEach((store) => store.onApplicationShutdown()));

async function node(url: string, deployment = 'parley-test'): Promise<RedisLimitStore> {
  const store = new RedisLimitStore(url, deployment, new MemoryLimitStore());
  opened.push(store);
  await store.onModuleInit();
  return store;
}

onRedis('nodes that share Redis', (REDIS_URL) => {
  let key: string;
  beforeEach(() => void (key = randomUUID()));

  it('share one budget', async () => {
    const [one, two] = await Promise.all([node(REDIS_URL), node(REDIS_URL)]);

    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? one : two).tryConsume(key, budget)),
    );

    expect(results.filter(({ allowed }) => allowed)).toHaveLength(3);
    expect((await one.usage(key, budget.windowMs)).used).toBe(3);
  });

  it('share no budget with another deployment', async () => {
    const [one, stranger] = await Promise.all([node(REDIS_URL), node(REDIS_URL, randomUUID())]);
    for (let i = 0; i < 4; i++) await one.tryConsume(key, budget);

    expect(await stranger.tryConsume(key, budget)).toMatchObject({ allowed: true, used: 1 });
  });

  it('share the budget while the event loop is blocked for longer than the timeout of Redis', async () => {
    const one = await node(REDIS_URL);
    const take = one.tryConsume(key, budget);
    await new Promise(setImmediate);
    for (const start = performance.now(); performance.now() - start < 500;);

    await take;
    expect(warned).not.toHaveBeenCalled();
  });

  it('apply refunds of each other', async () => {
    const [one, two] = await Promise.all([node(REDIS_URL), node(REDIS_URL)]);
    for (let i = 0; i < 4; i++) await one.tryConsume(key, budget);

    await two.refund(key, budget.windowMs);

    expect([
      (await one.tryConsume(key, budget)).allowed,
      (await one.tryConsume(key, budget)).allowed,
    ]).toEqual([true, false]);
  });

  it('begin a new window when the old one has ended', async () => {
    const one = await node(REDIS_URL);
    const short = { limit: 1, windowMs: 50 };
    await one.tryConsume(key, short);

    const { allowed, resetMs } = await one.tryConsume(key, short);
    expect(allowed).toBe(false);
    expect(resetMs).toBeLessThanOrEqual(50);
    while ((await one.usage(key, short.windowMs)).used > 0);

    expect((await one.tryConsume(key, short)).allowed).toBe(true);
  });

  it('store no key without an expiry, not even after a refund without a hit', async () => {
    const one = await node(REDIS_URL);

    await one.refund(key, budget.windowMs);

    expect(await one.tryConsume(key, budget)).toEqual({ allowed: true, used: 1, resetMs: 60_000 });
  });
});

describe('a node whose Redis is unavailable', () => {
  it('counts in memory and logs one warning', async () => {
    const store = await node('redis://127.0.0.1:1');

    const results = [];
    for (let i = 0; i < 5; i++) results.push((await store.tryConsume('ada', budget)).allowed);

    expect(results).toEqual([true, true, true, false, false]);
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned.mock.calls[0]![0]).toMatch(/Redis is unavailable \(ECONNREFUSED\)/);
  });

  it('does not log the password of its Redis', async () => {
    await node('redis://somebody:top-secret@127.0.0.1:1');

    expect(JSON.stringify(warned.mock.calls)).not.toContain('top-secret');
  });
});

onRedis('a node whose Redis stops answering', (REDIS_URL) => {
  let proxy: Server;
  const pairs: { client: Socket; server: Socket }[] = [];

  beforeAll(async () => {
    const { hostname, port } = new URL(REDIS_URL);
    proxy = createServer((client) => {
      const server = connect(Number(port), hostname);
      pairs.push({ client, server });
      client.pipe(server).pipe(client);
      client.on('error', () => undefined).on('close', () => server.destroy());
      server.on('error', () => undefined).on('close', () => client.destroy());
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
  });
  afterAll(() => void proxy.close());
  afterEach(() =>
    pairs.splice(0).forEach(({ client, server }) => [client, server].forEach((s) => s.destroy())),
  );

  const throughProxy = () => node(`redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`);

  it('waits for one timeout, then counts in memory', async () => {
    const store = await throughProxy();
    await store.tryConsume('ada', budget);
    pairs.forEach(({ server }) => server.pause());

    const startedAt = performance.now();
    const results = [];
    for (let i = 0; i < 4; i++) results.push((await store.tryConsume('ada', budget)).allowed);

    expect(results).toEqual([true, true, true, false]);
    expect(performance.now() - startedAt).toBeLessThan(900);
    expect(warned).toHaveBeenCalledTimes(1);
  });

  it('logs each outage and each return once, also of a Redis that keeps its connections', async () => {
    const store = await throughProxy();
    logged.mockClear();
    for (const outage of [1, 2]) {
      pairs.forEach(({ server }) => server.pause());
      await store.tryConsume('ada', budget);
      pairs.forEach(({ server }) => server.resume());
      while (logged.mock.calls.length < outage) {
        await store.tryConsume('ada', budget);
        await new Promise(setImmediate);
      }
      expect(warned).toHaveBeenCalledTimes(outage);
    }
    expect(logged).toHaveBeenCalledTimes(2);
  });

  it('shares its budget again after reconnecting', async () => {
    const key = randomUUID();
    const store = await throughProxy();
    const other = await node(REDIS_URL);
    pairs.splice(0).forEach(({ client }) => client.destroy());
    await store.tryConsume(key, budget);

    while ((await other.usage(key, budget.windowMs)).used === 0)
      await store.tryConsume(key, { ...budget, limit: 1000 });

    expect((await other.usage(key, budget.windowMs)).used).toBeGreaterThan(0);
  });

  it('drops an unresponsive connection, even during writes', async () => {
    const key = randomUUID();
    const store = await throughProxy();
    const other = await node(REDIS_URL);
    pairs.forEach(({ client, server }) => [client.unpipe(), server.pause()]);

    while ((await other.usage(key, budget.windowMs)).used === 0)
      await store.tryConsume(key, { ...budget, limit: 1e6 });

    expect((await other.usage(key, budget.windowMs)).used).toBeGreaterThan(0);
  }, 30_000);
});
