import { isCompleted, isDelta, textOf } from '../support/clients/events.js';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { AuthService } from '../../src/auth/auth.service.js';
import { tokenWithSecondsLeft } from '../support/app/access-token.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { EventLog, within, type SeenEvent } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { gate, type PlayedProvider, type Step } from '../support/provider/provider.js';
import type { Ack, ConnectError, SocketClient } from '../support/clients/socket.js';
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

const refusalOf = (socket: SocketClient) =>
  socket.connected.then(
    () => Promise.reject(new Error('It was not refused.')),
    (error: ConnectError) => error.data,
  );
const connected = async (socket: SocketClient) => socket.connected.then(() => socket);
const types = (events: SeenEvent[]) => events.map(({ type }) => type);

const ofMessage = (id: unknown, events: SeenEvent[]) => events.filter(({ message_id }) => message_id === id);

/** An acknowledgement has the text so far; the rest comes as deltas. */
async function textArrived(socket: SocketClient, { id, content }: Thing, text: string): Promise<void> {
  if (String(content).includes(text)) return;
  await socket.until(() => textOf(ofMessage(id, socket.events), String(content)).includes(text));
}

describe('The handshake', () => {
  it('takes the token of auth, or of the Authorization header', async () => {
    const headers = { Authorization: `Bearer ${ada.tokens.access_token}` };

    await ada.socket().connected;
    await ada.socket({ auth: {}, extraHeaders: headers }).connected;
    await ada.socket({ auth: {}, extraHeaders: headers, transports: ['polling'] }).connected;
  });

  it.each([
    ['no token', () => ({}), 'unauthenticated'],
    ['an empty token', () => ({ token: '' }), 'unauthenticated'],
    ['garbage', () => ({ token: 'garbage' }), 'unauthenticated'],
    ['a token that is no text', () => ({ token: { $ne: 1 } }), 'unauthenticated'],
    ['a refresh token', () => ({ token: ada.tokens.refresh_token }), 'unauthenticated'],
    ['an expired token', () => ({ token: tokenWithSecondsLeft(t, ada, -1) }), 'token_expired'],
  ])('refuses %s with a connect_error that carries the problem', async (_, auth, code) => {
    const problem = await refusalOf(ada.socket({ auth: auth() }));

    expect(problem).toMatchObject({ status: 401, code, title: 'Unauthorized', type: 'about:blank' });
    expect(problem!.detail).toEqual(expect.any(String));
  });

  it('refuses a revoked token, a doubled header, and a token in the query', async () => {
    const gone = await ada.signInAgain();
    await gone.post('/auth/logout');
    const bearer = `Bearer ${ada.tokens.access_token}`;

    expect(await refusalOf(gone.socket())).toMatchObject({ status: 401, code: 'token_revoked' });
    expect(
      await refusalOf(ada.socket({ auth: {}, query: { token: ada.tokens.access_token } })),
    ).toMatchObject({
      code: 'unauthenticated',
    });
    const doubled = { Authorization: [bearer, bearer] as unknown as string };
    expect(await refusalOf(ada.socket({ auth: {}, extraHeaders: doubled }))).toMatchObject({
      code: 'unauthenticated',
    });
  });

  it('refuses the root namespace, with a problem', async () => {
    const socket = ada.socket();
    const root = socket.io.io.socket('/', { auth: { token: ada.tokens.access_token } });

    const [error] = (await once(root.connect() as never, 'connect_error')) as [ConnectError];

    expect(error.data).toMatchObject({ status: 404, code: 'not_found' });
  });

  it.each(['websocket', 'polling'])('refuses a foreign origin with 403 over %s', async (transport) => {
    for (const origin of ['https://evil.example', 'null', 'https://app.example.com.evil.example']) {
      const socket = ada.socket({ transports: [transport], extraHeaders: { Origin: origin } });

      const error = await socket.connected.catch((refused) => refused as ConnectError & { context: object });

      expect(error).toMatchObject({ description: transport === 'polling' ? 403 : expect.anything() });
    }
    const url = `/socket.io/?EIO=4&transport=polling`;
    expect((await t.http.get(url, { Origin: 'https://evil.example' })).status).toBe(403);
  });

  it('takes its own origin, and those of CORS_ORIGINS', async () => {
    for (const origin of [t.url, 'https://app.example.com']) {
      await ada.socket({ extraHeaders: { Origin: origin } }).connected;
      await ada.socket({ extraHeaders: { Origin: origin }, transports: ['polling'] }).connected;
    }
  });
});

describe('Two devices of a user', () => {
  it('stay in step; deltas come for opened conversations alone, and nothing for others', async () => {
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
      expect(types(device.events)).toEqual(
        expect.arrayContaining(['conversation.created', 'conversation.updated', 'message.created']),
      );
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

  it('joins a running reply with its text so far, by opening and by sending the same again', async () => {
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

  it('gets no delta before the acknowledgement that says where deltas start', async () => {
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

describe('Commands', () => {
  let socket: SocketClient;
  beforeAll(async () => {
    socket = await connected(ada.socket());
  });

  it('conversation.open answers what GET answers, as many messages as it is asked for', async () => {
    const { id } = await ada.createConversation();
    await ada.send(id, 'One');
    await ada.send(id, 'Two');

    const ack = await socket.emit('conversation.open', { conversation_id: id, limit: 3 });

    const { body } = await ada.get(`/conversations/${id}?limit=3`);
    expect(ack).toEqual({ ok: true, data: body });
    expect(ack.data).toMatchObject({ has_more: true, messages: { length: 3 } });
  });

  it('conversation.close ends the deltas, and is acknowledged with {} whatever its id', async () => {
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

  it('chat.send, stop, regenerate and edit answer as over HTTP', async () => {
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
    expect(await ada.history(conversation_id)).toMatchObject([
      { content: 'Changed' },
      { content: 'Hello from the model.' },
    ]);
  });

  it('answers 409 with the running reply’s id to another send meanwhile', async () => {
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
  ])('refuses a bad %s of %j, naming %j', async (event, body, fields) => {
    const { ok, error } = await socket.emit(event, body);

    expect({ ok, ...error }).toMatchObject({ ok: false, status: 422, code: 'validation_failed' });
    expect((error!.errors as { field: string }[]).map(({ field }) => field).sort()).toEqual(fields);
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
  ])('refuses %p in place of an object', async (body) => {
    const { ok, error } = await socket.emit('conversation.open', body);

    expect({ ok, ...error }).toMatchObject({ ok: false, status: 422, code: 'validation_failed' });
  });

  it('answers without an acknowledgement by an exception event, and goes on', async () => {
    socket.io.emit('chat.stop', {});
    socket.io.emit('no.such.event');
    socket.io.emit('conversation.open');

    await socket.until(
      ({ type, error }) => type === 'exception' && JSON.stringify(error).includes('"event"'),
    );
    expect(await socket.emit('conversation.close', { conversation_id: 1 })).toEqual({ ok: true, data: {} });
  });

  it('finds nothing of another user’s, whatever the command', async () => {
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

describe('What is no proper packet', () => {
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
  ])('closes the one socket for %s', async (_, frame) => {
    const bystander = await connected(ada.socket());

    await sendRaw(frame);

    expect(await bystander.emit('conversation.close', { conversation_id: 1 })).toMatchObject({ ok: true });
  });

  it('takes the longest message, escaped as far as JSON can', async () => {
    const { id } = await ada.createConversation();
    const socket = await connected(ada.socket());
    const engine = socket.io.io.engine as unknown as { transport: { ws: { send(data: unknown): void } } };
    const content = '\\ud83d\\ude00'.repeat(100_000);

    engine.transport.ws.send(`42/chat,["chat.send",{"conversation_id":${id},"content":"${content}"}]`);

    await socket.until(isCompleted);
    expect((await ada.history(id))[0]!.content === '😀'.repeat(100_000)).toBe(true);
  });
});

describe('The life of a login', () => {
  it('is told 60 s before its token runs out, and closed when it has', async () => {
    const socket = ada.socket({ auth: { token: tokenWithSecondsLeft(t, ada, 2) } });
    await socket.connected;

    const { expires_at } = await socket.until(({ type }) => type === 'session.expiring');
    await within(socket.disconnected, 'It was not closed', 4000);

    const late = Date.now() - Date.parse(expires_at as string);
    expect(late).toBeGreaterThan(-50);
    expect(late).toBeLessThan(1000);
  });

  it('goes on with a new token of the same user', async () => {
    const socket = ada.socket({ auth: { token: tokenWithSecondsLeft(t, ada, 2) } });
    const { expires_at } = await socket.until(({ type }) => type === 'session.expiring');

    const ack = await socket.emit<{ expires_at: string }>('auth.refresh', { token: ada.tokens.access_token });

    expect(Date.parse(ack.data.expires_at)).toBeGreaterThan(Date.now() + 3_000_000);
    const outlived = tokenWithSecondsLeft(t, ada, 3);
    const timer = ada.socket({ auth: { token: outlived } });
    await timer.disconnected;
    expect(Date.now()).toBeGreaterThan(Date.parse(expires_at as string));
    expect(await socket.emit('conversation.close', { conversation_id: 1 })).toMatchObject({ ok: true });
  });

  it('does not go on with another user’s token, garbage, or a spent one', async () => {
    const bob = await t.user().create();
    const socket = ada.socket();
    const answers = [];

    for (const token of [bob.tokens.access_token, 'garbage', '', tokenWithSecondsLeft(t, ada, -1)]) {
      answers.push((await socket.emit('auth.refresh', { token })).error);
    }

    expect(answers).toMatchObject([
      { status: 401, code: 'unauthenticated' },
      { status: 401, code: 'unauthenticated' },
      { status: 401, code: 'unauthenticated' },
      { status: 401, code: 'token_expired' },
    ]);
    expect(await socket.emit('conversation.close', { conversation_id: 1 })).toMatchObject({ ok: true });
  });

  const endings: [string, (device: TestUser, other: TestUser) => Promise<unknown>][] = [
    ['a logout', (device) => device.post('/auth/logout')],
    [
      'a revocation',
      async (device, other) => {
        const { body } = await device.get<{ sessions: (Thing & { current: boolean })[] }>('/auth/sessions');
        const { id } = body.sessions.find(({ current }) => current)!;
        return other.post(`/auth/sessions/${id}/revoke`);
      },
    ],
    ['revoking all others', (_, other) => other.post('/auth/sessions/revoke-others')],
    ['a changed password', (_, other) => other.post('/auth/me/password', { password: 'another-Pass-9183' })],
  ];

  it.each(endings)('ends within a second of %s, and other logins go on', async (_, end) => {
    const other = await t.user().create();
    const device = await other.signInAgain();
    const ended = await connected(device.socket());
    const polling = await connected(device.socket({ transports: ['polling'] }));
    const kept = await connected(other.socket());

    expect(await end(device, other)).toMatchObject({ status: 204 });

    const gone = Promise.all([ended.disconnected, polling.disconnected]);
    await within(gone, 'They were not closed', 1000);
    expect(await kept.emit('conversation.close', { conversation_id: 1 })).toMatchObject({ ok: true });
    expect(kept.events.filter(({ type }) => type.startsWith('session'))).toEqual([]);
  });

  it('ends with the account', async () => {
    const user = await t.user().create();
    const device = await user.signInAgain();
    const sockets = await Promise.all([connected(user.socket()), connected(device.socket())]);

    await user.post('/auth/me/delete', { current_password: user.password });

    const gone = Promise.all(sockets.map((socket) => socket.disconnected));
    await within(gone, 'They were not closed', 1000);
  });

  it('is over for a socket that was being admitted when the session ended', async () => {
    const user = await t.user().create();
    const auth = t.app.get(AuthService);
    const authenticate = auth.authenticate.bind(auth);
    const spy = jest.spyOn(auth, 'authenticate').mockImplementation(async (token) => {
      const identity = await authenticate(token);
      await user.post('/auth/logout');
      return identity;
    });

    const socket = user.socket();
    await socket.connected;
    spy.mockRestore();

    await within(socket.disconnected, 'It was not closed', 1000);
  });
});

describe('Connection state recovery', () => {
  /** A client that loses its connection when told to, and comes back when told to. */
  class Wanderer {
    readonly log = new EventLog('A wanderer');

    constructor(readonly socket: SocketClient) {
      socket.io.onAny((type: string, body: object) => this.log.push({ ...body, type }));
    }

    async lose(): Promise<void> {
      const gone = once(this.socket.io as never, 'disconnect');
      this.socket.io.io.engine.close();
      await gone;
    }

    async comeBack(): Promise<boolean> {
      const back = once(this.socket.io as never, 'connect');
      this.socket.io.connect();
      await within(back, 'It did not come back');
      return this.socket.io.recovered;
    }
  }

  it('loses no event and no character under a streaming reply, wherever it breaks', async () => {
    const { id } = await ada.createConversation();
    const watcher = ada.socket();
    const wanderer = new Wanderer(ada.recoveringSocket());
    const gates = Array.from({ length: 8 }, () => gate());
    provider.willStream(...gates.flatMap((held, n) => [`piece ${n} 👋🏽 `, held]), 'the end');
    const ack = await wanderer.socket.emit<ChatAnswer>('chat.send', { conversation_id: id, content: 'Hi' });
    await watcher.emit('conversation.open', { conversation_id: id });
    const { id: reply, content } = ack.data.assistant_message;
    const soFar = () => textOf(ofMessage(reply, wanderer.log.events), String(content));
    const whole = gates.map((_, n) => `piece ${n} 👋🏽 `).join('') + 'the end';

    for (const [n, held] of gates.entries()) {
      const upTo = whole.indexOf(`piece ${n} `) + `piece ${n} 👋🏽 `.length;
      if (soFar().length < upTo) await wanderer.log.until(() => soFar().length >= upTo);
      await wanderer.lose();
      held.open();
      if (n < 7)
        await watcher.until((event) => isDelta(event) && String(event.text).includes(`piece ${n + 1}`));
      else await watcher.until(isCompleted);
      expect(await wanderer.comeBack()).toBe(true);
    }

    await wanderer.log.until(isCompleted);
    const { events } = wanderer.log;
    expect(events.find(isCompleted)).toMatchObject({ message: { content: whole } });
    expect(events.filter(isCompleted)).toHaveLength(1);
    expect(types(events).filter((type) => type === 'message.created')).toHaveLength(2);
  });

  it('brings what happened meanwhile, once, in order, also while the token is looked at', async () => {
    const wanderer = new Wanderer(await connected(ada.recoveringSocket()));
    const first = await ada.createConversation();
    await wanderer.log.until(({ type }) => type === 'conversation.created');
    await wanderer.lose();
    const second = await ada.createConversation();
    const auth = t.app.get(AuthService);
    const authenticate = auth.authenticate.bind(auth);
    let third: Thing | undefined;
    const spy = jest.spyOn(auth, 'authenticate').mockImplementation(async (token) => {
      third = await ada.createConversation();
      return authenticate(token);
    });

    expect(await wanderer.comeBack()).toBe(true);
    spy.mockRestore();
    const fourth = await ada.createConversation();

    await wanderer.log.until(({ conversation }) => (conversation as Thing)?.id === fourth.id);
    const ids = wanderer.log.events.map(({ conversation }) => (conversation as Thing).id);
    expect(ids).toEqual([first.id, second.id, third!.id, fourth.id]);
  });

  it.each([
    ['another user’s token', 'unauthenticated'],
    ['a revoked token', 'token_revoked'],
  ])('is refused with %s, and nothing that was missed is sent', async (token, code) => {
    const [user, bob] = [await t.user().create(), await t.user().create()];
    const device = await user.signInAgain();
    const wanderer = new Wanderer(await connected(device.recoveringSocket()));
    await user.createConversation();
    await wanderer.log.until(({ type }) => type === 'conversation.created');
    await wanderer.lose();
    await user.createConversation({ title: 'Secret' });
    if (token === 'a revoked token') await user.post('/auth/sessions/revoke-others');
    else wanderer.socket.io.auth = { token: bob.tokens.access_token, recovery: true };
    const received: string[] = [];
    const manager = wanderer.socket.io.io as unknown as {
      on(event: string, listener: (p: object) => void): void;
    };
    manager.on('packet', (packet) => received.push(JSON.stringify(packet)));

    const refused = once(wanderer.socket.io as never, 'connect_error');
    wanderer.socket.io.connect();
    const [error] = (await refused) as [ConnectError];

    expect(error.data).toMatchObject({ status: 401, code });
    expect(received.join()).not.toContain('Secret');
  });

  it('is not offered to a client that has missed more than is kept', async () => {
    const wanderer = new Wanderer(await connected(ada.recoveringSocket()));
    const { id } = await ada.createConversation();
    await wanderer.log.until(({ type }) => type === 'conversation.created');
    await wanderer.lose();
    provider.willStream('x'.repeat(600_000), 'x'.repeat(600_000));
    await ada.send(id, 'Hi');

    expect(await wanderer.comeBack()).toBe(false);
    const ack = await wanderer.socket.emit<Thing>('conversation.open', { conversation_id: id });
    expect((ack.data.messages as Thing[])[1]!.content).toHaveLength(1_200_000);
  });

  it('is not for a client that does not ask for it, whose events have their body alone', async () => {
    const user = await t.user().withConfig(provider).create();
    const [plain, recovering] = [new Wanderer(await connected(user.socket())), user.recoveringSocket()];
    const heard = new Map<SocketClient, unknown[][]>([plain.socket, recovering].map((each) => [each, []]));
    for (const [{ io }, calls] of heard) io.onAny((...call: unknown[]) => calls.push(call));
    await connected(recovering);

    const { id } = await user.createConversation();
    for (const socket of heard.keys()) await socket.emit('conversation.open', { conversation_id: id });
    await user.send(id, 'Hi');
    await user.post(`/conversations/${id}/delete`);
    for (const socket of heard.keys()) await socket.until(({ type }) => type === 'conversation.deleted');

    const lengths = (socket: SocketClient) =>
      heard.get(socket)!.map(([type, ...args]) => [type === 'message.delta', args.length]);
    expect(heard.get(plain.socket)!.length).toBeGreaterThan(6);
    expect(lengths(plain.socket).filter(([, count]) => count !== 1)).toEqual([]);
    expect(lengths(recovering).filter(([isDelta, count]) => count !== (isDelta ? 1 : 2))).toEqual([]);
    await plain.lose();
    expect(await plain.comeBack()).toBe(false);
  });

  it('gives one state to one connection', async () => {
    const wanderer = new Wanderer(await connected(ada.recoveringSocket()));
    await ada.createConversation();
    await wanderer.log.until(({ type }) => type === 'conversation.created');
    const { _pid, _lastOffset } = wanderer.socket.io as unknown as { _pid: string; _lastOffset: string };
    await wanderer.lose();
    expect(await wanderer.comeBack()).toBe(true);

    const twin = ada.socket({ auth: { token: ada.tokens.access_token, pid: _pid, offset: _lastOffset } });
    await twin.connected;

    expect(twin.io.id).not.toBe(wanderer.socket.io.id);
  });
});

describe('Limits', () => {
  let limited: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    limited = await startTestApp({ env: { RATE_LIMIT_SCALE: '1' } });
    user = await limited.user().withConfig(limited.provider).create();
  });
  afterAll(() => limited?.stop());

  const burst = async (socket: SocketClient, count: number) => {
    const acks = Array.from({ length: count }, () =>
      socket.emit('conversation.close', { conversation_id: 1 }),
    );
    return Promise.all(acks);
  };

  it('refuse the events of a socket beyond 50 a second, and answer the rest', async () => {
    const socket = await connected(user.socket());

    // A second may end in the middle.
    const acks = await burst(socket, 130);

    const refused = acks.filter(({ ok }) => !ok);
    expect(refused.length).toBeGreaterThanOrEqual(30);
    expect(acks.length - refused.length).toBeGreaterThanOrEqual(50);
    expect(refused[0]!.error).toMatchObject({ status: 429, code: 'rate_limited' });
    expect(socket.io.connected).toBe(true);
    await socket.close();
  });

  it('close a socket that sends 1,000 in a second, and no other', async () => {
    const bystander = await connected(user.socket());
    const socket = await connected(user.socket());

    for (let n = 0; n < 1000; n++) socket.io.emit('conversation.close', { conversation_id: 1 });

    await within(socket.disconnected, 'It was not closed', 3000);
    expect(await bystander.emit('conversation.close', { conversation_id: 1 })).toMatchObject({ ok: true });
    await bystander.close();
  });

  it('refuse a user’s 21st socket, of either kind, until one has left', async () => {
    const { id } = await user.createConversation();
    const sockets = await Promise.all(Array.from({ length: 10 }, () => connected(user.socket())));
    const webSockets = Array.from({ length: 10 }, () => user.ws(id));
    await Promise.all(webSockets.map((ws) => ws.until(({ type }) => type === 'conversation.snapshot')));

    expect(await refusalOf(user.socket())).toMatchObject({ status: 429, code: 'rate_limited' });
    expect(await user.ws(id).closed).toMatchObject({ code: 4429 });

    await sockets[0]!.close();
    await webSockets[0]!.close();
    sockets.push(await eventually(() => connected(user.socket())));
    await Promise.all([...sockets, ...webSockets].map((client) => client.close()));
  });

  it('count no socket that left before it was admitted', async () => {
    const { id } = await user.createConversation();
    const inServer: Promise<unknown>[] = [];
    limited.app.getHttpServer().on('connection', (connection: Socket) => {
      inServer.push(new Promise((resolve) => connection.once('close', resolve)));
    });
    const auth = limited.app.get(AuthService);
    const authenticate = auth.authenticate.bind(auth);
    const held = gate();
    const spy = jest.spyOn(auth, 'authenticate').mockImplementation(async (token) => {
      await (held as unknown as () => Promise<void>)();
      return authenticate(token);
    });

    const sockets = Array.from({ length: 10 }, () => user.socket());
    const webSockets = Array.from({ length: 10 }, () => user.ws(id));
    while (spy.mock.calls.length < 20) await new Promise(setImmediate);
    sockets.forEach(({ io }) => io.io.engine.close());
    webSockets.forEach(({ socket }) => socket.terminate());
    await within(Promise.all(inServer), 'The server did not hear of it');
    held.open();
    await Promise.all(spy.mock.results.map(({ value }) => value as Promise<unknown>));
    spy.mockRestore();

    const all = await Promise.all(Array.from({ length: 20 }, () => connected(user.socket())));
    await Promise.all(all.map((socket) => socket.close()));
  });

  it('are one budget for a user’s chats over HTTP and sockets', async () => {
    const other = await limited.user().withConfig(limited.provider).create();
    const { id } = await other.createConversation();
    const socket = other.socket();
    for (let n = 0; n < 15; n++) {
      expect((await other.send(id, `${n}`)).status).toBe(200);
      await socket.chat(id, `${n}`);
    }

    const ack = await socket.emit('chat.send', { conversation_id: id, content: 'One too many' });
    const answer = await other.send(id, 'One too many');

    expect(ack).toMatchObject({ ok: false, error: { status: 429, code: 'rate_limited' } });
    expect(answer).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  });

  /** Tries again until it succeeds: the server hears of a closed connection a little later. */
  async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + 5000;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }
});
