import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createClient } from 'redis';
import { Deployment } from '../../src/database/deployment.entity.js';
import { createAdmin } from '../support/app/admin.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { onRedis } from '../support/infrastructure/database.js';
import { isCompleted, textOf } from '../support/clients/events.js';
import type { SeenEvent } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { expectProblem } from '../support/clients/problems.js';
import { gate, reasoning } from '../support/provider/provider.js';
import { TcpProxy } from '../support/infrastructure/tcp-proxy.js';
import { TestUser } from '../support/app/user.js';

/** @returns the reply's text at the join, and a promise of all events until its end */
async function joinOver(transport: 'websocket' | 'events' | 'socket.io', user: TestUser, id: number) {
  const soFar = (messages: unknown) => String((messages as Thing[]).at(-1)!.content);
  if (transport === 'events') {
    const sse = await user.sse(`/conversations/${id}/events`);
    return { start: '', events: () => sse.until(isCompleted).then(() => sse.events) };
  }
  if (transport === 'websocket') {
    const ws = user.ws(id);
    const { messages } = await ws.until(({ type }) => type === 'conversation.snapshot');
    return { start: soFar(messages), events: () => ws.until(isCompleted).then(() => ws.frames) };
  }
  const socket = user.socket();
  const { data } = await socket.emit('conversation.open', { conversation_id: id });
  const isEnd = (event: SeenEvent) => isCompleted(event) && event.conversation_id === id;
  const own = () => socket.events.filter(({ conversation_id }) => conversation_id === id);
  return { start: soFar(data.messages), events: () => socket.until(isEnd).then(own) };
}

describe('two nodes on one database', () => {
  let one: TestApp;
  let two: TestApp;
  let ada: TestUser;
  beforeAll(async () => {
    one = await startTestApp();
    two = await one.startNode();
    ada = await one.user().withConfig(one.provider).create();
  });
  afterAll(async () => {
    await two.stop();
    await one.stop();
  });

  it('stop each other’s replies, without Redis too', async () => {
    const { id } = await ada.createConversation();
    one.provider.willStream('so far', gate());
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Go' });
    await sse.until(({ type }) => type === 'message.delta');

    const { status, body } = await ada.on(two).post(`/conversations/${id}/stop`);

    expect([status, body.status]).toEqual([200, 'stopped']);
    await one.provider.chats.at(-1)!.closed;
    await sse.ended;
    expect(sse.events.at(-1)).toMatchObject({ type: 'message.completed', message: { status: 'stopped' } });
  });

  it('complete a repeated send, without Redis too', async () => {
    const { id } = await ada.createConversation();
    const held = gate();
    one.provider.willStream(reasoning('Hm. '), 'so far, ', held, 'so good');
    const message = { content: 'Go', client_message_id: randomUUID() };
    const first = ada.send(id, message.content, message);
    await one.provider.waitForRequests(one.provider.chats.length + 1);

    const sse = await ada.on(two).sse(`/conversations/${id}/chat`, message);
    const repeat = ada.on(two).send(id, message.content, message);
    await sse.until(({ text }) => text === 'so far, ');
    held.open();
    const answers = await Promise.all([first, repeat]);
    await sse.ended;

    expect(answers[0].body.assistant_message).toMatchObject({
      content: 'so far, so good',
      status: 'complete',
    });
    expect(answers[1]).toMatchObject({ status: 200, body: answers[0].body });
    expect(textOf(sse.events)).toBe('so far, so good');
    expect(sse.events.at(-1)).toMatchObject({ message: answers[0].body.assistant_message });
  });

  it('end a waiting send with its session, without Redis too', async () => {
    const device = await ada.signInAgain();
    const { id } = await ada.createConversation();
    one.provider.willStream('so far', gate());
    const asked = one.provider.chats.length;
    const waiting = device.on(two).send(id, 'Go');
    await one.provider.waitForRequests(asked + 1);

    await device.post('/auth/logout');

    expectProblem(await waiting, 401, 'token_revoked');
    expect((await ada.post(`/conversations/${id}/stop`)).body.status).toBe('stopped');
  });
});

onRedis('Two nodes with a Redis', (REDIS_URL) => {
  let one: TestApp;
  let two: TestApp;
  let ada: TestUser;
  /** Ada with the same tokens on the second node. */
  let adaOnTwo: TestUser;

  beforeAll(async () => {
    one = await startTestApp({ env: { REDIS_URL } });
    two = await one.startNode();
    ada = await one.user().withConfig(one.provider).create();
    adaOnTwo = ada.on(two);
  });
  afterAll(async () => {
    await two.stop();
    await one.stop();
  });

  it('send a running reply to clients of both without a gap, whenever they join', async () => {
    const { id } = await ada.createConversation();
    const words = Array.from({ length: 120 }, (_, n) => `word${n} 🧵 `);
    one.provider.delayMs = 10;
    one.provider.willStream(...words);
    const early = adaOnTwo.socket();
    await early.emit('conversation.open', { conversation_id: id });

    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Go' });
    await sse.until(({ type }) => type === 'message.delta');
    const followers = [];
    for (let n = 0; n < 8; n++) {
      const ws = adaOnTwo.ws(id);
      const snapshot = await ws.until(({ type }) => type === 'conversation.snapshot');
      const reply = (snapshot.messages as Thing[]).at(-1)!;
      followers.push({ ws, start: String(reply.content) });
      await ws.until(({ type }) => type === 'message.delta');
    }
    await sse.ended;
    one.provider.delayMs = undefined;

    const whole = words.join('');
    expect(textOf(sse.events)).toBe(whole);
    await early.until(({ type }) => type === 'message.completed');
    expect(textOf(early.events)).toBe(whole);
    for (const { ws, start } of followers) {
      await ws.until(({ type }) => type === 'message.completed');
      const text = ws.frames
        .filter(({ type }) => type === 'message.delta')
        .reduce((before, { offset, text: more }) => {
          expect(offset).toBeLessThanOrEqual(before.length);
          return before.slice(0, offset as number) + String(more);
        }, start);
      expect(text).toBe(whole);
    }
    expect((await adaOnTwo.history(id))[1]).toMatchObject({ content: whole, status: 'complete' });
  });

  it.each(['websocket', 'events', 'socket.io'] as const)(
    'send all text of a reply to a client that joins just before its end (%s)',
    async (transport) => {
      const words = Array.from({ length: 60 }, (_, n) => `word${n} 🧵 `);
      one.provider.delayMs = 10;
      const join = async (leftMs: number) => {
        const { id } = await ada.createConversation({ title: 'Joined late' });
        one.provider.willStream(...words);
        const asked = await ada.sse(`/conversations/${id}/chat`, { content: 'Go' });
        await asked.until(({ offset }) => Number(offset) > (words.length - leftMs / 10) * 8);
        const { events, start } = await joinOver(transport, adaOnTwo, id);
        await asked.ended;
        return { events, start, whole: (asked.events.at(-1)!.message as Thing).content };
      };
      const joined = await Promise.all(Array.from({ length: 12 }, (_, n) => join(80 + 35 * n)));
      one.provider.delayMs = undefined;

      for (const { events, start, whole } of joined) {
        const deltas = await events();
        expect(textOf(deltas, start)).toBe(whole);
      }
    },
  );

  it('stop a reply of the other node, keeping its text to the last character', async () => {
    const { id } = await ada.createConversation();
    one.provider.willStream('to the last ', 'character', gate());
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Go' });
    await sse.until(({ type, text }) => type === 'message.delta' && String(text).endsWith('character'));

    const { status, body } = await adaOnTwo.post(`/conversations/${id}/stop`);

    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'stopped', content: 'to the last character' });
    await one.provider.chats.at(-1)!.closed;
    await sse.ended;
    expect(sse.events.at(-1)).toMatchObject({ message: body });
  });

  it('close the sockets of a session that ends on the other node', async () => {
    const device = await ada.signInAgain();
    const socket = device.on(two).socket();
    await socket.connected;
    const before = Date.now();

    await device.post('/auth/logout');

    await socket.disconnected;
    expect(Date.now() - before).toBeLessThan(1000);
  });

  it('use channels named after their database, apart from other deployments on the same Redis', async () => {
    const listener = await createClient({ url: REDIS_URL }).connect();
    const name = one.app.get(Deployment).id;
    const channels: string[] = [];
    const published = new Promise((resolve) => {
      void listener.pSubscribe(`*${name}*`, (_, channel) => resolve(channels.push(channel)));
    });

    await ada.createConversation();
    await published;
    listener.destroy();

    expect(channels).toEqual([`parley:${name}:events:${ada.id}`]);
    expect(two.app.get(Deployment).id).toBe(name);
  });

  // Last, because Passport authenticates only for the last app started in a process.
  it('announce a shared configuration to the users of both', async () => {
    const admin = await createAdmin(one);
    const sockets = [ada.socket(), adaOnTwo.socket()];
    await Promise.all(sockets.map(({ connected }) => connected));
    const shared = { model_url: one.provider.url, model_name: 'shared-model' };
    const { body } = await admin.on(two).post<Thing>('/admin/configs/create', shared);

    for (const socket of sockets) {
      const { configs } = await socket.until(({ type }) => type === 'config.changed');
      expect((configs as Thing[]).map(({ id }) => id)).toEqual([ada.configId, body.id]);
      await socket.close();
    }
    expect((await admin.post(`/admin/configs/${body.id}/delete`)).status).toBe(204);
  });

  it('end the connections and the reply of a user whom an administrator disables on the other', async () => {
    const admin = await createAdmin(one);
    const eve = await one.user().withConfig(one.provider).create();
    const there = eve.on(two);
    const { id } = await eve.createConversation({ title: 'Disabled' });
    const [socket, plain] = [there.socket(), there.ws(id)];
    await Promise.all([socket.connected, plain.until(({ type }) => type === 'conversation.snapshot')]);
    one.provider.willStream('Hel', gate());
    await socket.emit('chat.send', { conversation_id: id, content: 'Go' });
    await socket.until(({ type }) => type === 'message.delta');
    const sse = await there.sse(`/conversations/${id}/events`);

    const before = Date.now();
    expect((await admin.post(`/admin/users/${eve.id}/disable`)).status).toBe(200);
    const { closed } = one.provider.chats.at(-1)!;
    await Promise.all([socket.disconnected, plain.closed, sse.ended, closed]);

    expect(Date.now() - before).toBeLessThan(1000);
    expect((await there.get('/auth/me')).body.code).toBe('token_revoked');
  });

  it('send a running reply without a gap when Redis delays its start', async () => {
    const { hostname, port } = new URL(REDIS_URL);
    const proxy = await TcpProxy.start(hostname, Number(port));
    const late = await one.startNode({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    const { id } = await ada.createConversation();
    const words = Array.from({ length: 100 }, (_, n) => `word${n} `);
    one.provider.delayMs = 10;
    one.provider.willStream(...words);
    const early = ada.on(late).socket();
    await early.emit('conversation.open', { conversation_id: id });
    const mend = await proxy.hang();

    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Go' });
    await sse.until(({ type }) => type === 'message.delta');
    const joined = await ada.on(late).socket().emit('conversation.open', { conversation_id: id });
    await mend();
    await early.until(({ type }) => type === 'message.completed');
    one.provider.delayMs = undefined;

    expect((joined.data.messages as Thing[]).at(-1)).toMatchObject({ status: 'streaming' });
    expect(textOf(early.events)).toBe(words.join(''));
    await late.stop();
    await proxy.close();
  });

  it('share one budget for chats', async () => {
    const limited = await one.startNode({ RATE_LIMIT_SCALE: '0.1' });
    const other = await one.startNode({ RATE_LIMIT_SCALE: '0.1' });
    const { id } = await ada.createConversation();
    const statuses: number[] = [];
    for (let n = 0; n < 5; n++) {
      const { status } = await ada.on(n % 2 ? limited : other).send(id, `Message ${n}`);
      statuses.push(status);
    }
    await limited.stop();
    await other.stop();

    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });
});
