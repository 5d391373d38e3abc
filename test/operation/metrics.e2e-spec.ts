import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Heartbeat } from '../../src/chat/replies/recovery/heartbeat.js';
import { ReplyRepository } from '../../src/chat/replies/reply-repository.js';
import { WebhookDelivery } from '../../src/webhooks/webhook-delivery.entity.js';
import { MetricsServer } from '../../src/metrics/metrics-server.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { onRedis } from '../support/infrastructure/database.js';
import { until } from '../support/infrastructure/until.js';
import { gate, stall } from '../support/provider/provider.js';
import { WebhookReceiver } from '../support/infrastructure/webhook-receiver.js';
import type { TestUser } from '../support/app/user.js';

const running: TestApp[] = [];
afterEach(() => Promise.all(running.splice(0).map((t) => t.stop())));

async function start(env: Record<string, string> = {}): Promise<TestApp> {
  const t = await startTestApp({ env });
  running.push(t);
  return t;
}

async function scrape(t: TestApp): Promise<string> {
  const { status, body, headers } = await t.http.get<string>('/metrics');
  expect(status).toBe(200);
  expect(headers.get('Content-Type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return body;
}

type Samples = Record<string, number>;

/** Values of all series by name and labels. */
async function samples(t: TestApp): Promise<Samples> {
  const lines = (await scrape(t)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]));
}

const requestsTo = (route: string, status: number) =>
  `http_request_duration_seconds_count{method="GET",route="${route}",status="${status}"}`;

describe('METRICS_PORT', () => {
  it('serves the metrics alone, to proxied requests too', async () => {
    const t = await start({ METRICS_PORT: '0' });
    const url = `http://127.0.0.1:${t.app.get(MetricsServer).port}`;
    const forwarded = { 'X-Forwarded-For': '203.0.113.9' };

    const response = await fetch(`${url}/metrics?x=1`, { headers: forwarded });
    const others = await Promise.all(
      ['/', '/auth/login', '/metrics/x'].map(async (path) => (await fetch(url + path)).status),
    );
    const post = await fetch(`${url}/metrics`, { method: 'POST' });

    expect(response.headers.get('Content-Type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain('parley_database_up 1');
    expect(others).toEqual([404, 404, 404]);
    expect([post.status, post.headers.get('Allow')]).toEqual([405, 'GET, HEAD']);
  });
});

describe('/metrics', () => {
  it('counts requests by route pattern, not by path', async () => {
    const t = await start();
    const ada = await t.user().create();
    await ada.get('/conversations/1');
    await ada.get('/conversations/2');
    await t.http.get('/somewhere/a-stranger-typed');

    const text = await scrape(t);

    expect(text).toContain(`${requestsTo('/conversations/:id', 404)} 2`);
    expect(text).toContain(`${requestsTo('none', 404)} 1`);
    expect(text).not.toContain('a-stranger-typed');
    expect(text).toContain('process_resident_memory_bytes ');
  });

  it('measures requests in seconds', async () => {
    const t = await start();
    const since = performance.now();
    await t.http.get('/health/live');
    const text = await scrape(t);
    const passed = (performance.now() - since) / 1000;

    const sum =
      /^http_request_duration_seconds_sum{method="GET",route="\/health\/live",status="200"} (\S+)$/m;
    const measured = Number(sum.exec(text)?.[1]);
    expect(measured).toBeGreaterThan(0);
    expect(measured).toBeLessThan(passed);
  });

  it('has a series for each reply status from the start', async () => {
    const fresh = await samples(await start());

    for (const status of ['complete', 'stopped', 'failed', 'interrupted'])
      expect(fresh[`parley_replies_ended_total{status="${status}"}`]).toBe(0);
  });

  it('counts per app in a process', async () => {
    const [one, two] = [await start(), await start()];
    const ada = await two.user().create(); // `user()` uses the tokens of the newest app
    await ada.get('/auth/me');

    expect(await scrape(two)).toContain(requestsTo('/auth/me', 200));
    expect(await scrape(one)).not.toContain(requestsTo('/auth/me', 200));
  });
});

describe('/metrics of chats', () => {
  let t: TestApp;
  let ada: TestUser;
  let id: number;
  let before: Samples;
  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
  });
  beforeEach(async () => {
    // A user's title prevents a title request.
    ({ id } = await ada.createConversation({ title: 'Counted' }));
    before = await samples(t);
  });
  afterAll(() => t?.stop());

  /** Increase of each series of a name since the start of the test. */
  async function added(name: string): Promise<Record<string, number>> {
    const now = Object.entries(await samples(t)).filter(([series]) => series.replace(/{.*/, '') === name);
    const grown = now.map(
      ([series, value]) => [series.slice(name.length), value - (before[series] ?? 0)] as const,
    );
    return Object.fromEntries(grown.filter(([, amount]) => amount !== 0));
  }

  it('count a completed reply, its request and its first token', async () => {
    const startedAt = performance.now();
    await ada.send(id, 'Hi');
    const passed = (performance.now() - startedAt) / 1000;

    expect(await added('parley_replies_ended_total')).toEqual({ '{status="complete"}': 1 });
    expect(await added('parley_upstream_attempts_total')).toEqual({ '': 1 });
    expect(await added('parley_upstream_retries_total')).toEqual({});
    expect(await added('parley_first_token_seconds_count')).toEqual({ '': 1 });
    expect(await added('parley_upstream_first_token_seconds_count')).toEqual({ '{host="other"}': 1 });
    const { '': sinceSend } = await added('parley_first_token_seconds_sum');
    const { '{host="other"}': sinceRequest } = await added('parley_upstream_first_token_seconds_sum');
    expect(sinceRequest).toBeGreaterThan(0);
    expect(sinceRequest).toBeLessThan(passed);
    expect(sinceSend ?? 0).toBeLessThan(passed);
  });

  it('show a running reply, its written text, and its stop', async () => {
    t.provider.willStream('so far', stall());
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await sse.until(({ type }) => type === 'message.delta');
    expect(await samples(t)).toMatchObject({
      parley_replies_running: 1,
      'parley_sockets_connected{transport="sse"}': 1,
    });
    await until(async () => (await added('parley_reply_flushed_rows_total'))[''] === 1);
    expect(await added('parley_reply_flush_seconds_count')).toEqual({ '': 1 });
    expect((await samples(t)).parley_reply_unflushed_bytes).toBe(0);

    await ada.post(`/conversations/${id}/stop`);
    await sse.ended;

    expect(await added('parley_replies_ended_total')).toEqual({ '{status="stopped"}': 1 });
    expect(await samples(t)).toMatchObject({ parley_replies_running: 0, parley_replies_ending: 0 });
  });

  it('count a provider error and each retry before it', async () => {
    t.provider.willAnswer(503).willAnswer(401, { error: { message: 'No such key' } });

    await ada.send(id, 'Hi');

    expect(await added('parley_replies_ended_total')).toEqual({ '{status="failed"}': 1 });
    expect(await added('parley_upstream_attempts_total')).toEqual({ '': 2 });
    expect(await added('parley_upstream_retries_total')).toEqual({ '': 1 });
    expect(await added('parley_first_token_seconds_count')).toEqual({});
    expect(await added('parley_upstream_first_token_seconds_count')).toEqual({});
  });

  it('count refused sends by reason', async () => {
    t.provider.willStream('so far', stall());
    const socket = ada.socket();
    await socket.emit('chat.send', { conversation_id: id, content: 'Hi' });

    await ada.send(id, 'And?');
    await socket.emit('chat.send', { conversation_id: id, content: 'And?' });
    await socket.emit('chat.regenerate', { conversation_id: 999_999, message_id: 1 });

    expect(await added('parley_sends_refused_total')).toEqual({
      '{code="reply_in_progress"}': 2,
      '{code="not_found"}': 1,
    });
    await socket.emit('chat.stop', { conversation_id: id });
    await socket.close();
  });

  it('show open connections by transport', async () => {
    const [socket, ws] = [ada.socket(), ada.ws(id)];
    const sse = await ada.sse(`/conversations/${id}/events`);
    await Promise.all([socket.connected, ws.until(({ type }) => type === 'conversation.snapshot')]);
    const connections = async () => {
      const now = await samples(t);
      const transports = ['socketio', 'websocket', 'sse'];
      return transports.map((transport) => now[`parley_sockets_connected{transport="${transport}"}`]);
    };
    expect(await connections()).toEqual([1, 1, 1]);

    await Promise.all([socket.close(), ws.close(), sse.close()]);
    await until(async () => (await connections()).every((count) => count === 0));
  });

  it('show the database as up, and no Redis series without Redis', async () => {
    const now = await samples(t);

    expect(now.parley_database_up).toBe(1);
    expect(now.parley_heartbeat_age_seconds).toBeLessThan(5);
    expect(Object.keys(now).filter((series) => series.includes('redis'))).toEqual([]);
  });

  it('show unsaved text and reply ends, and their age', async () => {
    const [store, heartbeat] = [t.app.get(ReplyRepository), t.app.get(Heartbeat)];
    const unavailable = new Error('The database is unavailable');
    const failing = [
      jest.spyOn(store, 'append').mockImplementation(async ({ length }) => {
        if (length > 0) throw unavailable; // an empty append does not reach the database
      }),
      jest.spyOn(store, 'end').mockRejectedValue(unavailable),
      jest.spyOn(heartbeat, 'silentMs', 'get').mockReturnValue(7000),
    ];
    const held = gate();
    t.provider.willStream('unsaved', held);
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await sse.until(({ type }) => type === 'message.delta');
    await until(async () => (await samples(t)).parley_reply_unflushed_seconds! > 0.25);
    expect(await samples(t)).toMatchObject({
      parley_replies_running: 1,
      parley_reply_unflushed_bytes: 2 * 'unsaved'.length,
      parley_database_up: 0,
      parley_heartbeat_age_seconds: 7,
    });

    held.open();
    await until(async () => (await samples(t)).parley_replies_ending === 1);
    expect(await samples(t)).toMatchObject({ parley_replies_running: 0 });
    const { parley_reply_unflushed_seconds: waited } = await samples(t);
    await until(async () => (await samples(t)).parley_reply_unflushed_seconds! > waited! + 0.25);
    expect(await added('parley_replies_ended_total')).toEqual({});

    failing.forEach((spy) => spy.mockRestore());
    await sse.ended;
    expect(await added('parley_replies_ended_total')).toEqual({ '{status="complete"}': 1 });
    expect(await samples(t)).toMatchObject({
      parley_replies_ending: 0,
      parley_reply_unflushed_bytes: 0,
      parley_reply_unflushed_seconds: 0,
      parley_database_up: 1,
    });
  });
});

describe('/metrics of webhooks', () => {
  it('count attempts by outcome, and show the age of the oldest pending one', async () => {
    const receiver = await WebhookReceiver.start();
    const t = await start(receiver.env);
    const attempts = async (outcome: string) =>
      (await samples(t))[`parley_webhook_attempts_total{outcome="${outcome}"}`];
    expect(await attempts('delivered')).toBe(0);
    expect((await samples(t)).parley_webhooks_oldest_pending_seconds).toBe(0);

    await t.user().create();
    await until(async () => (await attempts('delivered')) === 1);

    receiver.answer = () => 500;
    await t.user().create();
    await until(async () => (await attempts('failed')) === 1);
    await t.manager.update(
      WebhookDelivery,
      { status: 'pending' },
      { createdAt: new Date(Date.now() - 60_000), retryUntil: new Date() },
    );
    const { parley_webhooks_oldest_pending_seconds: age } = await samples(t);
    expect(age).toBeGreaterThanOrEqual(60);
    expect(age).toBeLessThan(70);

    await t.manager.update(WebhookDelivery, { status: 'pending' }, { nextAttemptAt: new Date() });
    await until(async () => (await attempts('dead')) === 1);
    expect((await samples(t)).parley_webhooks_oldest_pending_seconds).toBe(0);
    await receiver.close();
  });

  it('have no series without WEBHOOK_URL', async () => {
    expect(Object.keys(await samples(await start())).filter((name) => name.includes('webhook'))).toEqual([]);
  });
});

describe('/metrics of files', () => {
  it('count uploads by result, deleted contents, and failures of the storage', async () => {
    const t = await start();
    const ada = await t.user().create();
    const before = await samples(t);
    expect(before['parley_uploads_total{result="stored"}']).toBe(0);

    const { id } = await ada.upload('Hello');
    await expect(ada.upload(Buffer.from([0, 1, 2]), 'a.bin')).rejects.toThrow('unsupported_file');
    await ada.post(`/files/${id}/delete`);
    await until(async () => (await samples(t)).parley_storage_deleted_total === 1);
    const kept = await ada.upload('Hello again');
    const folder = join(t.settings.dataDir, 'files');
    await rename(folder, `${folder}.away`);
    expect((await ada.get(`/files/${kept.id}/content`)).status).toBe(503);
    await rename(`${folder}.away`, folder);

    expect(await samples(t)).toMatchObject({
      'parley_uploads_total{result="stored"}': 2,
      'parley_uploads_total{result="unsupported_file"}': 1,
      parley_uploaded_bytes_total: 'HelloHello again'.length,
      parley_storage_failures_total: 1,
    });
  });
});

describe('docs/metrics.md', () => {
  it('lists exactly the registered parley_* series', async () => {
    const receiver = await WebhookReceiver.start();
    const t = await start({ REDIS_URL: 'redis://127.0.0.1:1', ...receiver.env });
    await receiver.close();
    const served = [...(await scrape(t)).matchAll(/^# TYPE ((?:parley|http)_\w+)/gm)].map(([, name]) => name);
    const documented = [...readFileSync('docs/metrics.md', 'utf8').matchAll(/^\| `(\w+)`/gm)].map(
      ([, name]) => name,
    );

    expect(served.length).toBeGreaterThan(10);
    expect(documented.sort()).toEqual(served.sort());
  });
});

describe('/metrics of a node with a Redis', () => {
  it('show Redis as down', async () => {
    const t = await start({ REDIS_URL: 'redis://127.0.0.1:1' });

    expect(await samples(t)).toMatchObject({ parley_redis_up: 0 });
  });
});

onRedis('/metrics of a node with a Redis', (REDIS_URL) => {
  it('show Redis as up', async () => {
    const t = await start({ REDIS_URL });

    await until(async () => (await samples(t)).parley_redis_up === 1);
  });
});

describe('/metrics in production', () => {
  const throughProxy = (t: TestApp, address: string) =>
    t.http.get('/metrics', { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': address });

  it('is served to internal addresses, and 404 for others', async () => {
    const t = await start({ NODE_ENV: 'production', TRUST_PROXY: 'loopback' });

    expect((await throughProxy(t, '10.1.2.3')).status).toBe(200);
    expect((await throughProxy(t, 'fd00::1')).status).toBe(200);
    for (const address of ['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8', '100.64.0.1', 'nonsense']) {
      const { status, body } = await throughProxy(t, address);
      expect([address, status, body.code]).toEqual([address, 404, 'not_found']);
    }
  });

  it('ignores a forged X-Forwarded-For', async () => {
    const t = await start({ NODE_ENV: 'production', TRUST_PROXY: 'loopback' });

    expect((await throughProxy(t, '10.1.2.3, 8.8.8.8')).status).toBe(404);
  });
});
