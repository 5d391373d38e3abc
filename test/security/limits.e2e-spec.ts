/** Limits on concurrent chats, running replies and sockets; throttling.e2e-spec.ts tests the rates of HTTP requests. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { onRedis } from '../support/infrastructure/database.js';
import { until } from '../support/infrastructure/until.js';
import { gate } from '../support/provider/provider.js';
import type { ConnectError, SocketClient } from '../support/clients/socket.js';
import type { TestUser } from '../support/app/user.js';

const LIMITED = { status: 429, code: 'rate_limited' };

describe('chats of one user', () => {
  let t: TestApp;
  let ada: TestUser;
  let socket: SocketClient;
  let conversationId: number;
  beforeAll(async () => {
    // 6 chats per minute
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.2' } });
    ada = await t.user().withConfig(t.provider).create();
    conversationId = (await ada.createConversation()).id;
    socket = ada.socket();
  });
  afterAll(() => t?.stop());

  it('share one budget over HTTP, events, Socket.IO and WebSocket, not spent by repeats', async () => {
    const ws = ada.ws(conversationId);
    const repeated = { content: 'Hi', client_message_id: randomUUID() };
    const path = `/conversations/${conversationId}`;
    await ada.send(conversationId, 'Hi', repeated);
    for (let i = 0; i < 3; i++) expect((await ada.send(conversationId, 'Hi', repeated)).status).toBe(200);
    const stream = await ada.sse(`${path}/chat`, { content: 'Hi' });
    await stream.until(({ type }) => type === 'message.completed');
    await socket.chat(conversationId, 'Hi');
    const { data } = await ws.request('chat.send', { content: 'Hi' });
    const reply = (data as { assistant_message: { id: number } }).assistant_message;
    await ws.until(
      ({ type, message }) => type === 'message.completed' && (message as { id: number }).id === reply.id,
    );
    expect((await ada.post(`${path}/messages/${reply.id}/regenerate`)).status).toBe(200);
    expect((await ada.post(`${path}/messages`, { content: 'Hi' })).status).toBe(200);
    const before = t.provider.chats.length;

    const refused = await ada.send(conversationId, 'One too many');

    expect(refused).toMatchObject({ status: 429, body: LIMITED });
    const retryAfter = Number(refused.headers.get('Retry-After'));
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(60);
    expect(Number(refused.headers.get('RateLimit-Limit'))).toBe(6);
    const body = { conversation_id: conversationId, content: 'One too many' };
    expect(await socket.emit('chat.send', body)).toMatchObject({ ok: false, error: LIMITED });
    expect(await ws.request('chat.send', body)).toMatchObject({ ok: false, error: LIMITED });
    expect((await ada.post(`${path}/messages/${reply.id}/regenerate`)).status).toBe(429);
    expect(t.provider.chats).toHaveLength(before);
    expect((await ada.send(conversationId, 'Hi', repeated)).status).toBe(200);
  });
});

describe('running replies', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: '1' } });
  });
  afterAll(() => t?.stop());

  it('are limited to five per user, and an ended reply frees a slot', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const ben = await t.user().withConfig(t.provider).create();
    const holds = Array.from({ length: 5 }, () => gate());
    for (const hold of holds) t.provider.willStream('so far', hold);
    const conversations = await Promise.all(Array.from({ length: 6 }, () => ada.createConversation()));

    const answers = conversations.slice(0, 5).map(({ id }) => ada.send(id, 'Hi'));
    await t.provider.waitForRequests(5);

    const last = conversations[5]!.id;
    expect(await ada.send(last, 'Hi')).toMatchObject({ status: 429, body: LIMITED });
    expect((await ada.get(`/conversations/${last}`)).body.message_count).toBe(0);
    expect((await ben.send((await ben.createConversation()).id, 'Hi')).status).toBe(200);
    holds.forEach((hold) => hold.open());
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect((await ada.send(last, 'Hi')).status).toBe(200);
  });
});

describe('long responses to one user', () => {
  const MOST = 8;
  let t: TestApp;
  let ada: TestUser;
  beforeAll(async () => {
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: String(MOST / 20) } });
    ada = await t.user().withConfig(t.provider).create();
  });
  afterAll(() => t?.stop());

  it('are limited, also with a silent provider and disconnected clients', async () => {
    const holds = Array.from({ length: MOST }, () => gate());
    for (const hold of holds) t.provider.willStream(hold);
    const abort = new AbortController();
    const path = `/auth/config/${ada.configId}/test`;
    const tests = holds.map((_, n) => ada.fetch('POST', path, undefined, {}, n ? undefined : abort.signal));
    await t.provider.waitForRequests(MOST);
    abort.abort();
    await tests[0]!.catch(() => undefined);

    const refused = await ada.get(`/auth/config/${ada.configId}/models`);
    expect(refused).toMatchObject({ status: 429, body: LIMITED });
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect((await ada.get('/auth/me/export')).status).toBe(429);
    expect((await ada.get('/auth/me')).status).toBe(200);

    holds.forEach((hold) => hold.open());
    for (const { status } of await Promise.all(tests.slice(1))) expect(status).toBe(200);
    while ((await ada.get('/auth/me/export')).status !== 200);
  });

  it('count waiters of the same reply, and a send beyond the limit stores nothing', async () => {
    const [{ id }, other] = [await ada.createConversation(), await ada.createConversation()];
    const hold = gate();
    t.provider.willStream('so far', hold);
    const body = { content: 'Hi', client_message_id: randomUUID() };
    const streams = [];
    for (let n = 0; n < MOST; n++) streams.push(await ada.sse(`/conversations/${id}/chat`, body));

    expect(await ada.send(other.id, 'Hi')).toMatchObject({ status: 429, body: LIMITED });
    expect((await ada.get(`/conversations/${other.id}`)).body.message_count).toBe(0);

    hold.open();
    for (const stream of streams) await stream.until(({ type }) => type === 'message.completed');
    while ((await ada.send(other.id, 'Hi')).status !== 200);
  });
});

/** Opens an Engine.IO session. */
const POLLING = '/socket.io/?EIO=4&transport=polling';

describe('connections, with limits at a tenth', () => {
  // 2 sockets per user, 10 per address, 20 Engine.IO connections, 60 unauthenticated failures
  const env = { RATE_LIMIT_SCALE: '0.1' };
  let t: TestApp;
  afterEach(() => t?.stop());

  const from = (address: string) => ({ 'X-Forwarded-For': address });

  /** Opens ten unauthenticated WebSockets. */
  async function crowd(user: TestUser, addressOf: (n: number) => string): Promise<void> {
    const sockets = Array.from({ length: 10 }, (_, n) =>
      user.ws(1, { auth: 'none', headers: from(addressOf(n)) }),
    );
    await Promise.all(sockets.map(({ opened }) => opened));
  }

  const connect = (user: TestUser, address: string) => {
    const { connected } = user.socket({ extraHeaders: from(address) });
    return connected.then(
      () => 'connected',
      (error: ConnectError) => error.data,
    );
  };

  it('are counted per address behind a trusted proxy, also before authentication', async () => {
    t = await startTestApp({ env: { ...env, TRUST_PROXY: 'loopback' } });
    const ada = await t.user().create();

    await crowd(ada, () => '203.0.113.1');

    expect(await connect(ada, '203.0.113.1')).toMatchObject(LIMITED);
    expect(await ada.ws(1, { headers: from('203.0.113.1') }).closed).toMatchObject({ code: 4429 });
    expect(await connect(ada, '203.0.113.2')).toBe('connected');
  });

  it('are counted by peer address without a trusted proxy', async () => {
    t = await startTestApp({ env });
    const ada = await t.user().create();

    await crowd(ada, (n) => `203.0.113.${n}`);

    expect(await connect(ada, '203.0.113.99')).toMatchObject(LIMITED);
  });

  it('without authentication are limited per address', async () => {
    t = await startTestApp({ env: { ...env, TRUST_PROXY: 'loopback' } });
    const ask = (address: string) => t.http.fetch('GET', POLLING, undefined, from(address));

    for (let i = 0; i < 20; i++) expect((await ask('203.0.113.1')).status).toBe(200);

    expect((await ask('203.0.113.1')).status).toBe(429);
    expect((await ask('203.0.113.2')).status).toBe(200);
    expect(await connect(await t.user().create(), '203.0.113.1')).not.toBe('connected');
  });

  it('with failed authentication count like failed requests of the address', async () => {
    t = await startTestApp({ env: { ...env, TRUST_PROXY: 'loopback' } });
    const ada = await t.user().create();
    const forger = Object.assign(ada.on(t), { tokens: { access_token: 'forged', refresh_token: '' } });

    for (let i = 0; i < 60; i++) expect(await connect(forger, '203.0.113.1')).toMatchObject({ status: 401 });

    expect(await connect(forger, '203.0.113.1')).toMatchObject(LIMITED);
    expect((await t.http.get('/auth/me', from('203.0.113.1'))).status).toBe(429);
    expect(await connect(forger, '203.0.113.2')).toMatchObject({ status: 401 });
  });

  it('for event streams count like sockets until closed', async () => {
    t = await startTestApp({ env });
    const ada = await t.user().create();
    const { id } = await ada.createConversation();
    const headers = { Authorization: `Bearer ${ada.tokens.access_token}` };
    // Not fetch, which replaces an aborted connection by a new one.
    const stream = get(`${t.url}/conversations/${id}/events`, { headers, agent: false });
    expect((await once(stream, 'response'))[0].statusCode).toBe(200);
    await ada.socket().connected;

    const refused = await ada.get(`/conversations/${id}/events`);

    expect(refused).toMatchObject({ status: 429, body: LIMITED });
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    stream.destroy();
    const connectAgain = () => connect(ada, '203.0.113.1');
    let outcome = await connectAgain();
    while (outcome !== 'connected') outcome = await connectAgain();
  });
});

onRedis('two nodes on one Redis', (REDIS_URL) => {
  const nodes: TestApp[] = [];
  afterEach(async () => {
    for (const node of nodes.splice(0).reverse()) await node.stop();
  });

  it('count a user’s running replies together', async () => {
    const one = await startTestApp({ env: { REDIS_URL, RATE_LIMIT_SCALE: '1' } });
    nodes.push(one);
    const two = await one.startNode();
    nodes.push(two);
    const ada = await one.user().withConfig(one.provider).create();
    const holds = Array.from({ length: 5 }, () => gate());
    for (const hold of holds) one.provider.willStream('so far', hold);
    const conversations = await Promise.all(Array.from({ length: 6 }, () => ada.createConversation()));
    const answers = conversations.slice(0, 5).map(({ id }, i) => (i % 2 ? ada : ada.on(two)).send(id, 'Hi'));
    await one.provider.waitForRequests(5);

    for (const node of [one, two]) {
      expect(await ada.on(node).send(conversations[5]!.id, 'Hi')).toMatchObject({
        status: 429,
        body: LIMITED,
      });
    }
    holds.forEach((hold) => hold.open());
    await Promise.all(answers);
    expect((await ada.send(conversations[5]!.id, 'Hi')).status).toBe(200);
  });
});

describe('uploads of one user', () => {
  let t: TestApp;
  afterAll(() => t?.stop());

  it.each(['end', 'destroy'] as const)('are counted until their connection closes (%s)', async (close) => {
    await t?.stop();
    // two long responses
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.1' } });
    const ada = await t.user().create();
    const folder = join(t.settings.dataDir, 'uploads');
    const sockets = [0, 1].map(() => connect(Number(new URL(t.url).port), '127.0.0.1'));
    const head = [
      'POST /files HTTP/1.1',
      'Host: parley',
      `Authorization: Bearer ${ada.tokens.access_token}`,
      'Content-Type: multipart/form-data; boundary=x',
      'Content-Length: 1000',
    ];
    const part = '--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\ntext';
    sockets.forEach((socket) => socket.write(`${head.join('\r\n')}\r\n\r\n${part}`));
    await until(() => filesIn(folder) === 2);

    await expect(ada.upload('text')).rejects.toThrow('Too many answers are under way.');
    sockets.forEach((socket) => socket[close]());
    await until(() => filesIn(folder) === 0);
    expect(await ada.upload('text')).toMatchObject({ bytes: 4 });
  });

  const filesIn = (folder: string) => (existsSync(folder) ? readdirSync(folder).length : 0);
});
