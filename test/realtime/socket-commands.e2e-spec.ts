/** Socket.IO: commands and events. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { FieldError } from '../../src/common/errors/errors.js';
import { isCompleted, isDelta, ofMessage, textOf, typesOf } from '../support/clients/events.js';
import { connected } from '../support/clients/socket.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { within, type SeenEvent } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { gate, type PlayedProvider, type Step } from '../support/provider/provider.js';
import type { Ack, SocketClient } from '../support/clients/socket.js';
import type { ChatAnswer, TestUser } from '../support/app/user.js';

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp({ env: { CORS_ORIGINS: 'https://app.example.com' } });
  provider = t.provider;
  ada = await t.user().withConfig(provider).create();
});
afterAll(() => t?.stop());

/** About a thousand a second, until the reply is stopped. */
const endlessWords: Step = async (stream) => {
  for (; !stream.gone; await delay(1)) await stream.delta({ content: 'word ' });
};

/** An acknowledgement has the text so far; the rest comes as deltas. */
async function textArrived(socket: SocketClient, { id, content }: Thing, text: string): Promise<void> {
  if (String(content).includes(text)) return;
  await socket.until(() => textOf(ofMessage(id, socket.events), String(content)).includes(text));
}

describe('two devices of a user', () => {
  it('stay in sync, with deltas only for opened conversations and nothing for other users', async () => {
    const phone = await connected(ada.socket());
    const laptop = await connected(ada.socket());
    const bob = await t.user().create();
    const stranger = await connected(bob.socket());

    const { id } = await ada.createConversation({ title: 'Step' });
    await ada.post(`/conversations/${id}/update`, { title: 'Stepped' });
    const sent = await laptop.emit<ChatAnswer>('chat.send', { conversation_id: id, content: 'Hi' });
    await laptop.until(isCompleted);
    await phone.until(isCompleted);
    await ada.post(`/auth/config/${ada.configId}/update`, { name: 'Renamed' });
    await ada.post(`/conversations/${id}/delete`);

    for (const device of [phone, laptop]) {
      await device.until(({ type }) => type === 'conversation.deleted');
      await device.until(({ type }) => type === 'config.changed');
      expect(typesOf(device.events)).toEqual(
        expect.arrayContaining(['conversation.created', 'conversation.updated']),
      );
      const created = device.events.filter(({ type }) => type === 'message.created');
      expect(created).toMatchObject([{ message: { role: 'user' } }, { message: { role: 'assistant' } }]);
    }
    const { id: reply, content } = sent.data.assistant_message;
    expect(textOf(ofMessage(reply, laptop.events), String(content))).toBe('Hello from the model.');
    expect(phone.events.filter(isDelta)).toEqual([]);
    expect(phone.events.find(isCompleted)).toMatchObject({
      conversation_id: id,
      message: { content: 'Hello from the model.', status: 'complete' },
    });
    expect(JSON.stringify([phone.events, laptop.events])).not.toContain('sk-test');
    const own = await bob.createConversation();
    await stranger.until(({ type }) => type === 'conversation.created');
    expect(stranger.events).toMatchObject([{ type: 'conversation.created', conversation: { id: own.id } }]);
  });

  it('join a running reply with its text so far, by opening and by repeating the send', async () => {
    const { id } = await ada.createConversation();
    const held = gate();
    provider.willStream('before ', held, 'after');
    const send = {
      conversation_id: id,
      content: 'Hi',
      client_message_id: '4d3c2b1a-0000-4000-8000-000000000001',
    };
    const [first, opening, sending] = [ada.socket(), ada.socket(), ada.socket()];
    const ack = await first.emit<ChatAnswer>('chat.send', send);
    await textArrived(first, ack.data.assistant_message, 'before ');

    const opened = await opening.emit<Thing>('conversation.open', { conversation_id: id });
    const sent = await sending.emit<ChatAnswer>('chat.send', send);
    held.open();

    const reply = ack.data.assistant_message.id;
    expect((opened.data.messages as Thing[])[1]).toMatchObject({ content: 'before ', status: 'streaming' });
    expect(sent.data.assistant_message).toMatchObject({ id: reply, content: 'before ' });
    for (const socket of [opening, sending]) {
      await socket.until(isCompleted);
      expect(textOf(ofMessage(reply, socket.events), 'before ')).toBe('before after');
    }
  });

  it('get no delta before the acknowledgement with its offset', async () => {
    const { id } = await ada.createConversation();
    const sender = ada.socket();
    provider.willStream(endlessWords);
    const sent = await sender.emit<ChatAnswer>('chat.send', { conversation_id: id, content: 'many' });
    await textArrived(sender, sent.data.assistant_message, 'word ');

    for (let round = 0; round < 30; round++) {
      const socket = await connected(ada.socket());
      let deltas = 0;
      socket.io.on('message.delta', () => deltas++);
      const [opened, before] = await new Promise<[Ack<{ messages: Thing[] }>, number]>((resolve) => {
        const answered = (ack: Ack<{ messages: Thing[] }>) => resolve([ack, deltas]);
        socket.io.emit('conversation.open', { conversation_id: id }, answered);
      });
      expect(before).toBe(0);
      expect(opened.data.messages.at(-1)!.status).toBe('streaming');
      await socket.until(isDelta);
      await socket.close();
    }
    await sender.emit('chat.stop', { conversation_id: id });
  });
});

describe('commands', () => {
  let socket: SocketClient;
  beforeAll(async () => {
    socket = await connected(ada.socket());
  });

  it('conversation.open returns the same as GET, with the requested number of messages', async () => {
    const { id } = await ada.createConversation();
    await ada.send(id, 'One');
    await ada.send(id, 'Two');

    const ack = await socket.emit('conversation.open', { conversation_id: id, limit: 3 });

    const { body } = await ada.get(`/conversations/${id}?limit=3`);
    expect(ack).toEqual({ ok: true, data: body });
    expect(ack.data).toMatchObject({ has_more: true, messages: { length: 3 } });
  });

  it('conversation.close ends the deltas, and is acknowledged with {} for any id', async () => {
    const { id } = await ada.createConversation();
    await socket.emit('conversation.open', { conversation_id: id });
    const before = socket.events.length;

    expect(await socket.emit('conversation.close', { conversation_id: id })).toEqual({ ok: true, data: {} });
    expect(await socket.emit('conversation.close', { conversation_id: 99_999 })).toEqual({
      ok: true,
      data: {},
    });
    await ada.send(id, 'Hi');
    await socket.until((event) => isCompleted(event) && event.conversation_id === id);

    expect(socket.events.slice(before).filter(isDelta)).toEqual([]);
  });

  it('chat.send, stop, regenerate and edit return the same as over HTTP', async () => {
    const { id: conversation_id } = await ada.createConversation();
    provider.willStream('so far', gate());

    const sent = await socket.emit<ChatAnswer>('chat.send', { conversation_id, content: 'Hi' });
    await textArrived(socket, sent.data.assistant_message, 'so far');
    const stopped = await socket.emit<ChatAnswer>('chat.stop', { conversation_id });
    const again = await socket.emit('chat.stop', { conversation_id });
    const { user_message, assistant_message } = sent.data;
    const regenerated = await socket.emit<ChatAnswer>('chat.regenerate', {
      conversation_id,
      message_id: assistant_message.id,
    });
    const isEnd = (message: Thing) => (event: SeenEvent) =>
      isCompleted(event) && (event.message as Thing).id === message.id;
    await socket.until(isEnd(regenerated.data.assistant_message));
    const edited = await socket.emit<ChatAnswer>('chat.edit', {
      conversation_id,
      message_id: user_message.id,
      content: 'Changed',
    });
    await socket.until(isEnd(edited.data.assistant_message));

    expect(sent.data).toMatchObject({
      user_message: { content: 'Hi' },
      assistant_message: { status: 'streaming' },
    });
    expect(stopped).toMatchObject({
      ok: true,
      data: { assistant_message: { content: 'so far', status: 'stopped' } },
    });
    expect(again).toMatchObject({ ok: false, error: { status: 409, code: 'no_reply_running' } });
    expect(regenerated.data.assistant_message.sibling_ids).toContain(assistant_message.id);
    expect(edited.data.user_message.sibling_ids).toContain(user_message.id);
    const announced = socket.events.filter(
      (event) => event.type === 'message.created' && event.conversation_id === conversation_id,
    );
    expect(announced.map(({ message }) => (message as Thing).id)).toEqual([
      ...[user_message.id, assistant_message.id, regenerated.data.assistant_message.id],
      ...[edited.data.user_message.id, edited.data.assistant_message.id],
    ]);
    expect(await ada.history(conversation_id)).toMatchObject([
      { content: 'Changed' },
      { content: 'Hello from the model.' },
    ]);
  });

  it('chat.send answers 409 with the running reply’s id during a reply', async () => {
    const { id: conversation_id } = await ada.createConversation();
    const held = gate();
    provider.willStream('slow', held);
    const first = await socket.emit<ChatAnswer>('chat.send', { conversation_id, content: 'One' });

    const second = await socket.emit('chat.send', { conversation_id, content: 'Two' });
    held.open();

    expect(second.error).toMatchObject({
      status: 409,
      code: 'reply_in_progress',
      assistant_message_id: first.data.assistant_message.id,
    });
    await socket.until((event) => isCompleted(event) && event.conversation_id === conversation_id);
  });

  it.each([
    ['conversation.open', {}, ['conversation_id']],
    ['conversation.open', { conversation_id: '1' }, ['conversation_id']],
    ['conversation.open', { conversation_id: 1.5, limit: 201 }, ['conversation_id', 'limit']],
    ['conversation.open', { conversation_id: 1, limit: 0, more: 1 }, ['limit', 'more']],
    ['conversation.close', { conversation_id: -1 }, ['conversation_id']],
    ['chat.send', { conversation_id: 1 }, ['content']],
    [
      'chat.send',
      { conversation_id: 1, content: ' ', client_message_id: 'x' },
      ['client_message_id', 'content'],
    ],
    ['chat.send', { conversation_id: 1, content: 'a\0b', config_id: 'x' }, ['config_id', 'content']],
    ['chat.stop', { conversation_id: { $ne: 1 } }, ['conversation_id']],
    ['chat.regenerate', { conversation_id: 1 }, ['message_id']],
    ['chat.edit', { conversation_id: 1, message_id: 1 }, ['content']],
    ['auth.refresh', { token: 1 }, ['token']],
    ['auth.refresh', {}, ['token']],
    ['nothing.like.it', {}, ['event']],
    ['constructor', {}, ['event']],
    ['__proto__', {}, ['event']],
  ])('refuse an invalid %s of %j, naming %j', async (event, body, fields) => {
    const { ok, error } = await socket.emit(event, body);

    expect({ ok, ...error }).toMatchObject({ ok: false, status: 422, code: 'validation_failed' });
    const errors = error!.errors as FieldError[];
    expect(errors.map(({ field }) => field).sort()).toEqual(fields);
    if (fields[0] === 'event') expect(errors[0]!.message).toBe('There is no such command.');
  });

  it.each([
    ['conversation.open', { conversation_id: '1' }, 'conversation_id must be an integer number'],
    ['conversation.open', { conversation_id: 1, limit: '5' }, 'limit must be an integer number'],
    ['chat.regenerate', { conversation_id: 1, message_id: '2' }, 'message_id must be an integer number'],
    [
      'chat.send',
      { conversation_id: 1, content: 'Hi', config_id: '3' },
      'config_id must be an integer number',
    ],
    ['auth.refresh', { token: 1 }, 'token must be a string'],
  ])('say of a value of the wrong type in %s which type it has to have: %j', async (event, body, message) => {
    const { error } = await socket.emit(event, body);

    expect(error!.errors).toMatchObject([{ message }]);
  });

  it.each([
    [null],
    [undefined],
    ['text'],
    [7],
    [[1]],
    [[]],
    [true],
    [Buffer.from('binary')],
    [JSON.parse('{"__proto__":{"x":1}}')],
  ])('refuse %p instead of an object', async (body) => {
    const { ok, error } = await socket.emit('conversation.open', body);

    expect({ ok, ...error }).toMatchObject({ ok: false, status: 422, code: 'validation_failed' });
  });

  it('without an acknowledgement are answered by an exception event, and the socket stays open', async () => {
    socket.io.emit('chat.stop', {});
    socket.io.emit('no.such.event');
    socket.io.emit('conversation.open');

    await socket.until(
      ({ type, error }) => type === 'exception' && JSON.stringify(error).includes('"event"'),
    );
    expect(await socket.emit('conversation.close', { conversation_id: 1 })).toEqual({ ok: true, data: {} });
  });

  it('find nothing of another user’s', async () => {
    const bob = await t.user().withConfig(provider).create();
    const { id: conversation_id } = await ada.createConversation();
    const { body } = await ada.send(conversation_id, 'Private');
    const calls = provider.chats.length;
    const other = bob.socket();
    const message_id = body.user_message.id;
    const commands: [string, object][] = [
      ['conversation.open', {}],
      ['chat.send', { content: 'Hi' }],
      ['chat.stop', {}],
      ['chat.regenerate', { message_id: body.assistant_message.id }],
      ['chat.edit', { message_id, content: 'x' }],
    ];

    for (const [command, rest] of commands) {
      const theirs = await other.emit(command, { conversation_id, ...rest });
      const missing = await other.emit(command, { conversation_id: 999_999, ...rest });
      const sameId = { request_id: expect.any(String) };
      expect(theirs).toEqual({ ...missing, error: { ...missing.error, ...sameId } });
      expect(theirs.error).toMatchObject({ status: 404, code: 'not_found' });
    }
    await ada.send(conversation_id, 'More');
    await bob.createConversation();
    await other.until(({ type }) => type === 'conversation.created');

    expect(other.events).toHaveLength(1);
    expect(provider.chats.length).toBe(calls + 1);
  });
});

describe('a malformed packet', () => {
  const sendRaw = async (frame: string | Buffer) => {
    const socket = await connected(ada.socket());
    const engine = socket.io.io.engine as unknown as { transport: { ws: { send(data: unknown): void } } };
    engine.transport.ws.send(frame);
    return within(socket.disconnected, 'It was not closed', 3000);
  };

  it.each([
    ['2 MiB in one frame', '42/chat,["chat.send",{"content":"' + 'x'.repeat(2 * 1024 * 1024) + '"}]'],
    ['half a packet', '42/chat,["chat.send",{'],
    ['no packet at all', '42{"a":1}'],
    ['a reserved event', '42/chat,["disconnect"]'],
    ['a packet of no known type', '49'],
    ['an unasked binary frame', Buffer.from([0, 1, 2, 3])],
    ['a second connect', '40/chat,{"token":"x"}'],
  ])('closes only its own socket: %s', async (_, frame) => {
    const bystander = await connected(ada.socket());

    await sendRaw(frame);

    expect(await bystander.emit('conversation.close', { conversation_id: 1 })).toMatchObject({ ok: true });
  });

  it('does not include the longest message with every character escaped', async () => {
    const { id } = await ada.createConversation();
    const socket = await connected(ada.socket());
    const engine = socket.io.io.engine as unknown as { transport: { ws: { send(data: unknown): void } } };
    const content = '\\ud83d\\ude00'.repeat(100_000);

    engine.transport.ws.send(`42/chat,["chat.send",{"conversation_id":${id},"content":"${content}"}]`);

    await socket.until(isCompleted);
    expect((await ada.history(id))[0]!.content === '😀'.repeat(100_000)).toBe(true);
  });
});
