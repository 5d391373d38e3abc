import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { EventLog } from '../../test/support/clients/event-log.js';
import { onRedis } from '../../test/support/infrastructure/database.js';
import { until } from '../../test/support/infrastructure/until.js';
import { TcpProxy } from '../../test/support/infrastructure/tcp-proxy.js';
import { ParleyEvent } from './parley-event.js';
import { RedisRelay } from './redis-relay.js';

const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
const logged = jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);

const ADA = 1;

it('delays no local event while Redis is unavailable', async () => {
  const ignore = () => undefined;
  const relay = new RedisRelay('redis://127.0.0.1:1', randomUUID(), { receive: ignore, missed: ignore });
  void relay.connect();

  await relay.listen(ADA);
  relay.send(ADA, new ParleyEvent('config.changed', {}));

  relay.close();
});

onRedis('Nodes connected by Redis', (REDIS_URL) => {
  let deployment: string;
  let proxy: TcpProxy;
  const relays: RedisRelay[] = [];
  beforeEach(async () => {
    deployment = randomUUID();
    const { hostname, port } = new URL(REDIS_URL);
    proxy = await TcpProxy.start(hostname, Number(port));
  });
  afterEach(async () => {
    relays.splice(0).forEach((relay) => relay.close());
    await proxy.close();
  });

  /** Starts a node's relay. `log` records its events and `missed` notifications. */
  async function node(url = REDIS_URL, name = deployment) {
    const log = new EventLog('the relay');
    const relay = new RedisRelay(url, name, {
      receive: (userId, { type, body }) => log.push({ ...body, type, userId }),
      missed: () => log.push({ type: 'missed' }),
    });
    relays.push(relay);
    void relay.connect();
    await log.until(({ type }) => type === 'missed');
    await until(() => relay.isConnected);
    return { relay, log, received: () => log.events.filter(({ type }) => type === 'config.changed') };
  }
  const throughProxy = () => node(`redis://127.0.0.1:${proxy.port}`);
  const news = (what: string) => new ParleyEvent('config.changed', { what });
  const is = (what: string) => (event: Record<string, unknown>) => event.what === what;

  it('receive events of their own deployment only', async () => {
    const [one, two, stranger] = await Promise.all([node(), node(), node(REDIS_URL, randomUUID())]);
    await Promise.all([one, two, stranger].map(({ relay }) => relay.listen(ADA)));

    stranger.relay.send(ADA, news('of a stranger'));
    one.relay.send(ADA, news('of one'));
    two.relay.send(ADA, news('of two'));

    await two.log.until(is('of one'));
    await one.log.until(is('of two'));
    const [last] = await Promise.all([node(REDIS_URL, deployment), stranger.relay.listen(2)]);
    last.relay.send(ADA, news('last'));
    await Promise.all([one.log.until(is('last')), two.log.until(is('last'))]);
    expect(one.received().map(({ what }) => what)).toEqual(['of two', 'last']);
    expect(two.received().map(({ what }) => what)).toEqual(['of one', 'last']);
    expect(stranger.received()).toEqual([]);
  });

  it('receive events of a user after leaving and listening again in one tick', async () => {
    const [one, two] = await Promise.all([node(), node()]);

    for (let n = 1; n <= 3; n++) {
      await one.relay.listen(ADA);
      for (let times = 0; times < n; times++) {
        one.relay.leave(ADA);
        void one.relay.listen(ADA);
      }
      await one.relay.listen(ADA);
      two.relay.send(ADA, news(`${n}`));
      await one.log.until(is(`${n}`));
      one.relay.leave(ADA);
    }
  });

  it('receive events of a user if the connection broke during the subscription', async () => {
    const [one, two] = await Promise.all([throughProxy(), node()]);
    const move = await proxy.hang();
    void one.relay.listen(ADA);
    await new Promise(setImmediate);
    const restore = await proxy.refuse();
    const seen = one.log.events.length;
    await move();
    await restore();
    await one.log.until(({ type }) => type === 'missed', undefined, seen);

    await one.relay.listen(ADA);
    two.relay.send(ADA, news('subscribed'));

    await one.log.until(is('subscribed'));
  });

  it('log the loss of Redis once, and its return', async () => {
    const { log } = await throughProxy();
    const seen = log.events.length;
    [warned, logged].forEach((spy) => spy.mockClear());

    const restore = await proxy.refuse();
    await until(() => warned.mock.calls.length > 0);
    expect(logged).not.toHaveBeenCalled();
    await restore();
    await log.until(({ type }) => type === 'missed', undefined, seen);

    expect(warned.mock.calls).toEqual([
      [expect.stringMatching(/^Redis is unavailable; events of other nodes/)],
    ]);
    expect(logged.mock.calls).toEqual([['Redis is available again']]);
  });

  it('resume their clients after another node could not publish', async () => {
    const [disconnected, other] = await Promise.all([throughProxy(), node()]);
    await other.relay.listen(ADA);
    const restore = await proxy.refuse();

    disconnected.relay.send(ADA, news('unpublished'));
    await restore();

    expect(await other.log.until(({ type }) => type === 'connection.resume')).toMatchObject({ userId: ADA });
    expect(other.received()).toEqual([]);
  });

  it('detect a connection that was lost without a close', async () => {
    const [lost, other] = await Promise.all([throughProxy(), node()]);
    await lost.relay.listen(ADA);
    const seen = lost.log.events.length;

    const restore = await proxy.lose();
    await restore();

    await lost.log.until(({ type }) => type === 'missed', 20_000, seen);
    other.relay.send(ADA, news('after reconnect'));
    await lost.log.until(is('after reconnect'));
  });
});
