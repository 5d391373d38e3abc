/** Repeated and concurrent sends. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { gate, type PlayedProvider } from '../support/provider/provider.js';
import type { Thing } from '../support/clients/http.js';
import { textOf } from '../support/clients/events.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp();
  provider = t.provider;
  ada = await t.user().withConfig(provider).create();
});
afterAll(() => t.stop());

describe('client_message_id', () => {
  it('makes one message, one reply and one provider request of 20 concurrent sends over all transports', async () => {
    const { id } = await ada.createConversation();
    const before = provider.chats.length;
    const held = gate();
    provider.willStream('one ', held, 'reply');
    const message = { content: 'Once', client_message_id: randomUUID() };
    const sockets = await Promise.all(Array.from({ length: 5 }, () => ada.socket()));
    const webSockets = await Promise.all(Array.from({ length: 5 }, () => ada.ws(id)));
    await Promise.all([...sockets.map((socket) => socket.connected), ...webSockets.map((ws) => ws.opened)]);

    const json = Array.from({ length: 5 }, () => ada.send(id, message.content, message));
    const streams = Array.from({ length: 5 }, () => ada.sse(`/conversations/${id}/chat`, message));
    const acks = sockets.map((socket) => socket.emit('chat.send', { conversation_id: id, ...message }));
    const frames = webSockets.map((ws) => ws.request('chat.send', message));
    await Promise.all([...acks, ...frames]);
    await Promise.all(streams);
    held.open();

    const ends = await Promise.all(json);
    expect(new Set(ends.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    for (const sse of await Promise.all(streams)) {
      await sse.ended;
      expect(textOf(sse.events)).toBe('one reply');
    }
    for (const client of [...sockets, ...webSockets]) {
      await client.until((event) => event.type === 'message.completed');
    }
    for (const ack of await Promise.all(acks)) expect(ack).toMatchObject({ ok: true });
    expect(provider.chats.length - before).toBe(1);
    expect(await ada.history(id)).toHaveLength(2);
    await Promise.all([...sockets, ...webSockets].map((client) => client.close()));
  });

  const UUID = '0B8F7A4E-3c63-4C5f-9A55-6d3ce1d3b7aa';
  it.each([UUID, UUID.toUpperCase(), UUID.toLowerCase()])('is returned as it was sent: %s', async (sent) => {
    const { id } = await ada.createConversation();
    const message = { content: 'One', client_message_id: sent };
    const ids = (all: unknown[]) => all.map((each) => (each as Thing).client_message_id);
    const socket = ada.socket();
    await socket.emit('conversation.open', { conversation_id: id });

    const first = await ada.send(id, 'One', message);

    const created = await socket.until(
      (event) => event.type === 'message.created' && (event.message as Thing).role === 'user',
    );
    const other = sent === UUID.toLowerCase() ? UUID : UUID.toLowerCase();
    const repeat = await ada.send(id, 'One', { client_message_id: other });
    const edit = await ada.post<{ user_message: Thing }>(
      `/conversations/${id}/messages/${first.body.user_message.id}/edit`,
      { content: 'Two', client_message_id: UUID.replace('0', '1') },
    );
    expect(ids([first.body.user_message, created.message, repeat.body.user_message])).toEqual([
      sent,
      sent,
      sent,
    ]);
    expect(repeat.body.user_message.id).toBe(first.body.user_message.id);
    expect(ids([edit.body.user_message, ...(await ada.history(id))])).toEqual([
      UUID.replace('0', '1'),
      UUID.replace('0', '1'),
      null,
    ]);
    await socket.close();
  });

  it('answers 409 for different content under a used id', async () => {
    const { id } = await ada.createConversation();
    const client_message_id = randomUUID();
    await ada.send(id, 'One', { client_message_id });

    const { status, body } = await ada.send(id, 'Two', {
      client_message_id: client_message_id.toUpperCase(),
    });

    expect([status, body.code]).toEqual([409, 'client_message_id_reused']);
  });

  it('repeats a finished turn as events: both messages, the whole text, the end', async () => {
    const { id } = await ada.createConversation();
    const message = { content: 'One', client_message_id: randomUUID() };
    await ada.send(id, message.content, message);

    const sse = await ada.sse(`/conversations/${id}/chat`, message);
    await sse.ended;

    expect(sse.events.map(({ type }) => type)).toEqual([
      'message.created',
      'message.created',
      'message.delta',
      'message.completed',
    ]);
    expect(textOf(sse.events)).toBe('Hello from the model.');
  });
});

describe('one reply at a time', () => {
  it('refuses a second send with the id of the running reply', async () => {
    const { id } = await ada.createConversation();
    const held = gate();
    provider.willStream('slow', held);
    const first = await ada.sse(`/conversations/${id}/chat`, { content: 'One' });
    const created = await first.until(
      ({ type, message }) => type === 'message.created' && (message as Thing).role === 'assistant',
    );

    const second = await ada.send(id, 'Two');
    held.open();

    expect(second).toMatchObject({
      status: 409,
      body: { code: 'reply_in_progress', assistant_message_id: (created.message as Thing).id },
    });
    await first.ended;
    expect(await ada.history(id)).toHaveLength(2);
  });

  it('lets one of two different concurrent sends run', async () => {
    const { id } = await ada.createConversation();
    const held = gate();
    provider.onRequest = (body) => (JSON.stringify(body).includes('racer') ? ['ok', held] : undefined);

    let answered = 0;
    const racing = Array.from({ length: 6 }, async (_, n) => {
      const answer = await ada.send(id, `racer ${n}`);
      if (++answered === 5) held.open();
      return answer;
    });
    const answers = await Promise.all(racing);
    provider.onRequest = undefined;

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409]);
    expect(await ada.history(id)).toHaveLength(2);
  });
});
