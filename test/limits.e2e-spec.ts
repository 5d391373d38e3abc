/** Who may do how much at once: chats, running replies, sockets. Rates of HTTP are in throttling.e2e-spec.ts. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { startTestApp, type TestApp } from './support/app.js';
import { onRedis } from './support/database.js';
import { gate } from './support/provider.js';
import type { ConnectError, SocketClient } from './support/socket.js';
import type { TestUser } from './support/user.js';

const LIMITED = { status: 429, code: 'rate_limited' };

describe('chats of one user', () => {
  let t: TestApp;
  let ada: TestUser;
  let socket: SocketClient;
  let conversationId: number;
  beforeAll(async () => {
    // chat 6 a minute
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.2', TRUST_PROXY: 'loopback' } });
    ada = await t.user().withConfig(t.provider).create();
    conversationId = (await ada.createConversation()).id;
    socket = ada.socket();
  });
  afterAll(() => t?.stop());

  it('have one budget over HTTP, events, Socket.IO and WebSocket, which repeats do not spend', async () => {
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
    await ws.until(({ type, message }) => type === 'message.completed' && (message as { id: number }).id === reply.id);
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

  it('of one user are five at once, counted for each user, and a place is free when one ends', async () => {
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

describe('sockets', () => {
  let t: TestApp;
  const opened: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    // 1 a user, 2 an address, credentials 1 a minute and address
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.02', TRUST_PROXY: 'loopback' } });
  });
  afterEach(() => Promise.all(opened.splice(0).map((each) => each.close())));
  afterAll(() => t?.stop());

  let lastAddress = 0;
  const newAddress = () => ({ 'X-Forwarded-For': `203.0.113.${++lastAddress}` });

  async function signUp(): Promise<TestUser> {
    const user = t.user();
    const built = Object.assign(user, {});
    return built.create();
  }

  it.todo('placeholder');
  void signUp;
  void newAddress;
});

onRedis('two nodes on one Redis', (REDIS_URL) => {
  it('count a user’s running replies together', async () => {
    const one = await startTestApp({ env: { REDIS_URL, RATE_LIMIT_SCALE: '1' } });
    const two = await one.startNode();
    const ada = await one.user().withConfig(one.provider).create();
    const holds = Array.from({ length: 5 }, () => gate());
    for (const hold of holds) one.provider.willStream('so far', hold);
    const conversations = await Promise.all(Array.from({ length: 6 }, () => ada.createConversation()));
    const answers = conversations.slice(0, 5).map(({ id }, i) => (i % 2 ? ada : ada.on(two)).send(id, 'Hi'));
    await one.provider.waitForRequests(5);

    for (const node of [one, two]) {
      expect(await ada.on(node).send(conversations[5]!.id, 'Hi')).toMatchObject({ status: 429, body: LIMITED });
    }
    holds.forEach((hold) => hold.open());
    await Promise.all(answers);
    expect((await ada.send(conversations[5]!.id, 'Hi')).status).toBe(200);
    await two.stop();
    await one.stop();
  });
});
