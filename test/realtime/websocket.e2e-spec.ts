import { isCompleted, isDelta, textOf } from '../support/clients/events.js';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Socket } from 'node:net';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { revokedToken } from '../../src/auth/auth.errors.js';
import { AuthService } from '../../src/auth/auth.service.js';
import { WebSocketClients } from '../../src/chat/transports/websocket/websocket-clients.js';
import { tokenWithSecondsLeft } from '../support/app/access-token.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { within, type SeenEvent } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { gate, type PlayedProvider } from '../support/provider/provider.js';
import { sendRaw } from '../support/clients/raw.js';
import type { ChatAnswer, TestUser } from '../support/app/user.js';
import { Refused, WebSocketClient } from '../support/clients/websocket.js';

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;
let id: number;

beforeAll(async () => {
  t = await startTestApp({ env: { CORS_ORIGINS: 'https://app.example.com' } });
  provider = t.provider;
  ada = await t.user().withConfig(provider).create();
  ({ id } = await ada.createConversation());
});
afterAll(() => t?.stop());

const snapshot = (ws: WebSocketClient) => ws.until(({ type }) => type === 'conversation.snapshot');
const isAck = ({ type }: SeenEvent) => type === 'ack';
const closeCode = async (ws: WebSocketClient) => (await within(ws.closed, 'It was not closed')).code;

describe('The token', () => {
  it.each(['header', 'subprotocol', 'frame'] as const)('is taken from the %s', async (auth) => {
    const ws = ada.ws(id, { auth });

    await snapshot(ws);

    expect(ws.socket.protocol).toBe(auth === 'subprotocol' ? 'bearer' : '');
    await ws.close();
  });

  it.each(['Bearer', 'BEARER', 'bEaReR'])(
    'is taken after the subprotocol %s, which is echoed',
    async (scheme) => {
      const ws = ada.ws(id, { auth: 'subprotocol', scheme });

      await snapshot(ws);

      expect(ws.socket.protocol).toBe(scheme);
      await ws.close();
    },
  );

  it('is not taken after any other subprotocol, and none is echoed', async () => {
    const ws = ada.ws(id, { auth: 'subprotocol', scheme: 'bearerx' });
    const ended = ws.opened.catch((error: Error) => error.message);

    // A client that offered some must not accept a server that chose none (RFC 6455 section 4.1).
    expect(await ended).toBe('Server sent no subprotocol');
  });

  it.each(['header', 'subprotocol', 'frame'] as const)(
    'closes with 4401 where the %s has a bad one',
    async (auth) => {
      const gone = await ada.signInAgain();
      await gone.post('/auth/logout');
      const tokens = [
        'garbage',
        ada.tokens.refresh_token,
        tokenWithSecondsLeft(t, ada, -1),
        gone.tokens.access_token,
      ];

      for (const token of tokens) {
        const ws = ada.ws(id, { auth, token });
        expect([await closeCode(ws), ws.frames]).toEqual([4401, []]);
      }
    },
  );

  it.each([
    ['no JSON', 'auth'],
    ['another type', '{"type":"chat.send","token":"x"}'],
    ['no token', '{"type":"auth"}'],
    ['null', 'null'],
    ['binary', Buffer.from('{"type":"auth","token":"x"}')],
  ])('closes with 4401 where the first frame is %s', async (_, frame) => {
    const ws = ada.ws(id, { auth: 'none' });

    await ws.send(frame);

    expect(await closeCode(ws)).toBe(4401);
  });

  it('closes with 4401 where a good one comes in a binary frame, or the header is doubled', async () => {
    const ws = ada.ws(id, { auth: 'none' });
    await ws.send(Buffer.from(JSON.stringify({ type: 'auth', token: ada.tokens.access_token })));
    const bearer = `Bearer ${ada.tokens.access_token}`;
    const doubled = ada.ws(id, {
      auth: 'none',
      headers: { Authorization: [bearer, bearer] as unknown as string },
    });

    expect([await closeCode(ws), await closeCode(doubled)]).toEqual([4401, 4401]);
  });

  it('closes with 4408 where none comes within 5 s', async () => {
    const ws = ada.ws(id, { auth: 'none' });
    await ws.opened;
    const openedAt = Date.now();

    expect(await closeCode(ws)).toBe(4408);
    expect(Date.now() - openedAt).toBeGreaterThan(4500);
    expect(Date.now() - openedAt).toBeLessThan(7000);
  });

  it('is not taken from the query', async () => {
    const ws = ada.ws(`${id}?token=${ada.tokens.access_token}`, { auth: 'header', token: 'x' });

    expect(await closeCode(ws)).toBe(4401);
  });
});

describe('The conversation', () => {
  it('is the first frame, with the fields of GET beside its type', async () => {
    const { id: own } = await ada.createConversation({ title: 'Snap' });
    await ada.send(own, 'Hi');
    const ws = ada.ws(own);

    await snapshot(ws);

    const { body } = await ada.get(`/conversations/${own}`);
    expect(ws.frames[0]).toEqual({ ...body, type: 'conversation.snapshot' });
    await ws.close();
  });

  it('is the first frame for a token that is about to run out as well', async () => {
    const ws = ada.ws(id, { token: tokenWithSecondsLeft(t, ada, 30) });

    const { expires_at } = await ws.until(({ type }) => type === 'session.expiring');

    expect(ws.frames.map(({ type }) => type)).toEqual(['conversation.snapshot', 'session.expiring']);
    expect(Date.parse(expires_at as string) - Date.now()).toBeLessThan(31_000);
    await ws.close();
  });

  it.each(['999999', '0', '-1', '1.5', 'abc', '%31', '9223372036854775808', '1e3'])(
    'closes with 4404 where its id is %s',
    async (missing) => {
      expect(await closeCode(ada.ws(missing))).toBe(4404);
    },
  );

  it('closes with 4404 where it is another user’s, as where there is none', async () => {
    const bob = await t.user().create();
    const [theirs, missing] = [bob.ws(id), bob.ws(999_999)];

    expect(await theirs.closed).toEqual(await missing.closed);
    expect(theirs.frames).toEqual([]);
    expect(await closeCode(theirs)).toBe(4404);
  });

  it('closes with 4404 where it is deleted, having said so', async () => {
    const { id: own } = await ada.createConversation();
    const ws = ada.ws(own);
    await snapshot(ws);

    await ada.post(`/conversations/${own}/delete`);

    expect(await closeCode(ws)).toBe(4404);
    expect(ws.frames.at(-1)).toEqual({ type: 'conversation.deleted', conversation_id: own });
  });

  it('has its events passed on, and no other’s', async () => {
    const { id: own } = await ada.createConversation();
    const other = await ada.createConversation();
    const ws = ada.ws(own);
    await snapshot(ws);

    await ada.send(other.id, 'Elsewhere');
    await ada.post(`/conversations/${own}/update`, { title: 'Mine' });
    await ada.send(own, 'Here');
    await ws.until(isCompleted);

    for (const frame of ws.frames) expect(JSON.stringify(frame)).toContain(`":${own}`);
    expect(ws.frames[1]).toMatchObject({
      type: 'conversation.updated',
      conversation: { id: own, title: 'Mine' },
    });
    expect(textOf(ws.frames)).toBe('Hello from the model.');
    await ws.close();
  });
});

describe('Commands', () => {
  let ws: WebSocketClient;
  let own: number;
  beforeAll(async () => {
    ({ id: own } = await ada.createConversation());
    ws = ada.ws(own);
    await snapshot(ws);
  });

  it('are acknowledged with their id, a number or text, or without one', async () => {
    await ws.send({ type: 'conversation.close', id: 7 });
    await ws.send({ type: 'conversation.close', id: 'seven' });
    await ws.send({ type: 'conversation.close' });

    await ws.until((frame) => isAck(frame) && frame.id === undefined);

    expect(ws.frames.filter(isAck)).toEqual([
      { type: 'ack', id: 7, ok: true, data: {} },
      { type: 'ack', id: 'seven', ok: true, data: {} },
      { type: 'ack', ok: true, data: {} },
    ]);
  });

  it('send, stop, regenerate and edit, without naming the conversation', async () => {
    const held = gate();
    provider.willStream('so far', held);

    const sent = await ws.request('chat.send', { content: 'Hi' });
    const { user_message, assistant_message } = sent.data as ChatAnswer;
    if (assistant_message.content === '') await ws.until(isDelta);
    const stopped = await ws.request('chat.stop');
    const none = await ws.request('chat.stop', { conversation_id: own });
    const regenerated = await ws.request('chat.regenerate', { message_id: assistant_message.id });
    const again = (regenerated.data as ChatAnswer).assistant_message;
    await ws.until((frame) => isCompleted(frame) && (frame.message as Thing).id === again.id);
    const edited = await ws.request('chat.edit', { message_id: user_message.id, content: 'Changed' });
    const last = (edited.data as ChatAnswer).assistant_message;
    await ws.until((frame) => isCompleted(frame) && (frame.message as Thing).id === last.id);

    expect(stopped).toMatchObject({
      ok: true,
      data: { assistant_message: { status: 'stopped', content: 'so far' } },
    });
    expect(none).toMatchObject({ ok: false, error: { status: 409, code: 'no_reply_running' } });
    expect(again.sibling_ids).toEqual([assistant_message.id, again.id]);
    expect(await ada.history(own)).toMatchObject([
      { content: 'Changed' },
      { content: 'Hello from the model.' },
    ]);
  });

  it('open a conversation as GET does, and close it to its deltas', async () => {
    const opened = await ws.request('conversation.open', { limit: 1 });
    const { body } = await ada.get(`/conversations/${own}?limit=1`);
    expect(opened).toMatchObject({ ok: true, data: body });

    expect(await ws.request('conversation.close', { conversation_id: 99_999 })).toMatchObject({
      ok: true,
      data: {},
    });
    expect(await ws.request('conversation.close')).toMatchObject({ ok: true, data: {} });
    const before = ws.frames.length;
    await ada.send(own, 'Quietly');
    await ws.until((frame) => isCompleted(frame) && ws.frames.indexOf(frame) >= before);

    expect(ws.frames.slice(before).filter(isDelta)).toEqual([]);
  });

  it('on another of the user’s conversations open that too, as long as the socket likes', async () => {
    const other = await ada.createConversation();

    const sent = await ws.request('chat.send', { conversation_id: other.id, content: 'Hi' });
    const of = (frame: SeenEvent) => frame.conversation_id === other.id;
    await ws.until((frame) => isCompleted(frame) && of(frame));
    const start = String((sent.data as ChatAnswer).assistant_message.content);
    expect(textOf(ws.frames.filter(of), start)).toBe('Hello from the model.');

    await ada.post(`/conversations/${other.id}/delete`);
    await ws.until((frame) => frame.type === 'conversation.deleted' && of(frame));
    expect(await ws.request('conversation.close')).toMatchObject({ ok: true });
  });

  it('find nothing of another user’s', async () => {
    const bob = await t.user().withConfig(provider).create();
    const theirs = await bob.createConversation();
    const { body } = await bob.send(theirs.id, 'Private');
    const calls = provider.chats.length;
    const message_id = body.user_message.id;

    for (const conversation_id of [theirs.id, 999_999]) {
      for (const [type, rest] of [
        ['conversation.open', {}],
        ['chat.send', { content: 'Hi' }],
        ['chat.stop', {}],
        ['chat.regenerate', { message_id: body.assistant_message.id }],
        ['chat.edit', { message_id, content: 'x' }],
      ] as const) {
        const ack = await ws.request(type, { conversation_id, ...rest });
        expect(ack).toMatchObject({ ok: false, error: { status: 404, code: 'not_found' } });
      }
    }
    const own = await ws.request('chat.edit', { message_id, content: 'x' });
    expect(own).toMatchObject({ ok: false, error: { status: 404, code: 'not_found' } });
    expect(provider.chats.length).toBe(calls);
    await bob.send(theirs.id, 'More');
    await ws.request('conversation.close'); // answered after whatever was sent before
    expect(ws.frames.filter(({ conversation_id }) => conversation_id === theirs.id)).toEqual([]);
  });

  it.each([
    [{ type: 'chat.send' }, ['content']],
    [{ type: 'chat.send', content: 'x', conversation_id: 'y', more: 1 }, ['conversation_id', 'more']],
    [{ type: 'chat.edit', content: ' ' }, ['content', 'message_id']],
    [{ type: 'conversation.open', limit: 201 }, ['limit']],
    [{ type: 'auth.refresh' }, ['token']],
    [{ type: 'auth.refresh', token: 'x', conversation_id: 1 }, ['conversation_id']],
    [{ type: 'no.such' }, ['type']],
    [{ type: 'toString' }, ['type']],
    [{ type: ['chat.send'], content: 'x' }, ['type']],
    [{}, ['type']],
    [{ type: 'chat.stop', id: { a: 1 } }, ['id']],
  ])('refuse %j, naming %j', async (frame, fields) => {
    const before = ws.frames.length;

    await ws.send(frame);
    const ack = await ws.until((seen) => isAck(seen) && ws.frames.indexOf(seen) >= before);

    expect(ack).toMatchObject({ ok: false, error: { status: 422, code: 'validation_failed' } });
    const { errors } = ack.error as { errors: { field: string }[] };
    expect(errors.map(({ field }) => field).sort()).toEqual(fields);
    expect(ack.id).toBeUndefined();
  });

  it.each([
    ['text that is no JSON', '{"type":'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a number', '7'],
    ['an empty frame', ''],
    ['deep nesting', '['.repeat(100_000)],
    ['a binary frame', Buffer.from('{"type":"conversation.close"}')],
  ])('refuse %s, and go on', async (_, frame) => {
    const before = ws.frames.length;

    await ws.send(frame);
    const ack = await ws.until((seen) => isAck(seen) && ws.frames.indexOf(seen) >= before);

    expect(ack).toMatchObject({ ok: false, error: { status: 400, code: 'bad_request' } });
    expect(await ws.request('conversation.close')).toMatchObject({ ok: true });
  });

  it('sent right behind the token are not lost, and keep their order', async () => {
    const { id: fresh } = await ada.createConversation();
    const pipelining = ada.ws(fresh, { auth: 'frame' });
    await pipelining.opened;
    const acks = Array.from({ length: 10 }, (_, n) =>
      pipelining.request('conversation.close', { conversation_id: n + 1 }),
    );
    const send = pipelining.request('chat.send', { content: 'Hi', client_message_id: randomUUID() });

    await Promise.all([...acks, send]);

    expect(pipelining.frames[0]).toMatchObject({ type: 'conversation.snapshot' });
    expect(
      pipelining.frames
        .filter(isAck)
        .slice(0, 10)
        .map((ack) => ack.id),
    ).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await send).toMatchObject({ ok: true });
    await pipelining.close();
  });
});

describe('The life of a login', () => {
  it('closes with 4401 when the token runs out, having said so', async () => {
    const ws = ada.ws(id, { token: tokenWithSecondsLeft(t, ada, 2) });

    await ws.until(({ type }) => type === 'session.expiring');

    expect(await ws.closed).toEqual({ code: 4401, reason: 'token_expired' });
  });

  it('goes on with a new token of the same user, and not with another’s', async () => {
    const bob = await t.user().create();
    const ws = ada.ws(id, { token: tokenWithSecondsLeft(t, ada, 2) });
    const clock = ada.ws(id, { token: tokenWithSecondsLeft(t, ada, 2) });
    await snapshot(ws);

    const refused = await ws.request('auth.refresh', { token: bob.tokens.access_token });
    const renewed = await ws.request('auth.refresh', { token: ada.tokens.access_token });

    expect(refused).toMatchObject({ ok: false, error: { status: 401, code: 'unauthenticated' } });
    expect(renewed).toMatchObject({ ok: true, data: { expires_at: expect.any(String) } });
    await clock.closed;
    expect(await ws.request('conversation.close')).toMatchObject({ ok: true });
  });

  it('closes with 4401 within a second of a logout, and other logins go on', async () => {
    const device = await ada.signInAgain();
    const [ended, kept] = [device.ws(id), ada.ws(id)];
    await Promise.all([snapshot(ended), snapshot(kept)]);

    await device.post('/auth/logout');

    expect(await within(ended.closed, 'It was not closed', 1000)).toEqual({
      code: 4401,
      reason: 'token_revoked',
    });
    expect(await kept.request('conversation.close')).toMatchObject({ ok: true });
  });

  it('is over for a client that does not answer the close', async () => {
    const device = await ada.signInAgain();
    const { id: own } = await ada.createConversation();
    const ws = device.ws(own);
    await snapshot(ws);
    // It goes on sending, and never confirms that the socket is to be closed.
    const { socket } = ws as unknown as {
      socket: { _socket: { write(data: Buffer): void }; _receiver: object };
    };
    const frame = maskedFrame(JSON.stringify({ type: 'chat.send', content: 'After the end' }));
    ws.socket.removeAllListeners('message');
    (ws.socket as unknown as { close(): void }).close = () => undefined;
    const over = new Promise((resolve) => ws.socket.once('close', resolve));

    await device.post('/auth/logout');
    socket._socket.write(frame);

    await within(over, 'It was not cut', 3000);
    expect(await ada.history(own)).toEqual([]);
  });

  it('is over for a socket that was being admitted when the session ended', async () => {
    const device = await ada.signInAgain();
    const auth = t.app.get(AuthService);
    const authenticate = auth.authenticate.bind(auth);
    const spy = jest.spyOn(auth, 'authenticate').mockImplementation(async (token) => {
      const identity = await authenticate(token);
      await device.post('/auth/logout');
      return identity;
    });

    const ws = device.ws(id);

    expect(await closeCode(ws)).toBe(4401);
    spy.mockRestore();
  });
});

describe('A dead line', () => {
  it('is noticed by a ping that is not answered, and no other is cut', async () => {
    const clients = t.app.get(WebSocketClients) as unknown as { ping(): void };
    const [dead, alive] = [ada.ws(id, { autoPong: false }), ada.ws(id)];
    await Promise.all([snapshot(dead), snapshot(alive)]);

    clients.ping();
    await once(alive.socket, 'ping');
    expect(await alive.request('conversation.close')).toMatchObject({ ok: true });
    clients.ping();

    expect(await closeCode(dead)).toBe(1006);
    expect(await alive.request('conversation.close')).toMatchObject({ ok: true });
    await alive.close();
  });
});

describe('What is too much', () => {
  it.each([2, 16])('closes with 4413 for %i MiB in one frame, also before the token', async (megabytes) => {
    const [ws, early] = [ada.ws(id), ada.ws(id, { auth: 'none' })];
    await snapshot(ws);

    await ws.send('x'.repeat(megabytes * 1024 * 1024));
    await early.send('x'.repeat(megabytes * 1024 * 1024));

    expect([await closeCode(ws), await closeCode(early)]).toEqual([4413, 4413]);
  });

  it('closes with 4413 once the head of a frame says that it is too large, and waits for none of it', async () => {
    const early = ada.ws(id, { auth: 'none' });
    await early.opened;
    const { _socket: connection } = early.socket as unknown as { _socket: Socket };
    // The last part, of text, masked: its length in eight bytes, and no byte of what it says.
    const head = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0]);

    connection.write(head);

    expect(await closeCode(early)).toBe(4413);
  });

  it('closes the socket for text that is no UTF-8', async () => {
    const mangled = ada.ws(id);
    await snapshot(mangled);

    mangled.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });

    expect(await closeCode(mangled)).toBe(1007);
  });

  it('takes the longest message, escaped as far as JSON can', async () => {
    const { id: own } = await ada.createConversation();
    const ws = ada.ws(own);
    await snapshot(ws);

    await ws.send(`{"type":"chat.send","content":"${'\\ud83d\\ude00'.repeat(100_000)}"}`);
    await ws.until(isCompleted);

    expect((await ada.history(own))[0]!.content === '😀'.repeat(100_000)).toBe(true);
    await ws.close();
  });

  describe('by the limits', () => {
    let limited: TestApp;
    let failing: TestApp | undefined;
    let user: TestUser;
    let conversation: number;
    beforeAll(async () => {
      limited = await startTestApp({ env: { RATE_LIMIT_SCALE: '1' } });
      user = await limited.user().create();
      ({ id: conversation } = await user.createConversation());
    });
    afterAll(() => Promise.all([limited?.stop(), failing?.stop()]));

    it('refuses frames beyond 50 a second, and closes with 4429 far beyond', async () => {
      const [ws, bystander] = [user.ws(conversation), user.ws(conversation)];
      await Promise.all([snapshot(ws), snapshot(bystander)]);

      const acks = await Promise.all(Array.from({ length: 130 }, () => ws.request('conversation.close')));
      for (let n = 0; n < 1000; n++) await ws.send('{"type":"conversation.close"}');

      const refused = acks.filter(({ ok }) => !ok);
      expect(refused.length).toBeGreaterThanOrEqual(30);
      expect(acks.length - refused.length).toBeGreaterThanOrEqual(50);
      expect(refused[0]!.error).toMatchObject({ status: 429, code: 'rate_limited' });
      expect(await closeCode(ws)).toBe(4429);
      expect(await bystander.request('conversation.close')).toMatchObject({ ok: true });
      await bystander.close();
    });

    it('closes with 4429 a flood before it is known who sends it', async () => {
      const held = gate();
      const spy = jest.spyOn(limited.app.get(AuthService), 'authenticate').mockImplementation(async () => {
        await (held as unknown as () => Promise<void>)();
        throw revokedToken();
      });
      const ws = user.ws(conversation);
      await ws.opened;

      for (let n = 0; n < 60; n++) ws.socket.send('{"type":"conversation.close"}');

      expect(await closeCode(ws)).toBe(4429);
      held.open();
      spy.mockRestore();
    });

    it('closes with 4429 the sockets of an address that keeps failing, of HTTP’s budget too', async () => {
      failing = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.1' } });
      const url = `${failing.url}/conversations/ws/1`;
      const codes: number[] = [];
      while (codes.length < 70 && !codes.includes(4429)) {
        codes.push(await closeCode(failing.opened(new WebSocketClient(url, { token: 'garbage' }))));
      }

      expect(codes).toHaveLength(61);
      expect((await failing.http.get('/auth/me')).status).toBe(429);
    });
  });
});

describe('The upgrade', () => {
  const upgrade =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

  it.each(['https://evil.example', 'null', 'https://app.example.com:8443', 'http://app.example.com'])(
    'is refused with 403 from the origin %s',
    async (origin) => {
      const ws = ada.ws(id, { origin });

      expect(await ws.opened.catch((error: Refused) => error.status)).toBe(403);
    },
  );

  it('is fine from its own origin and from those of CORS_ORIGINS', async () => {
    for (const origin of [t.url, 'https://app.example.com']) {
      const ws = ada.ws(id, { origin });
      await snapshot(ws);
      await ws.close();
    }
  });

  it.each([
    '/conversations/ws',
    '/conversations/ws/',
    '/conversations/ws/1/2',
    '/nowhere',
    '/',
    '//',
    '/socket.io',
    '/%',
    '/conversations/ws/1/',
  ])('is refused with 404 at %s, and the connection closed', async (path) => {
    const answer = await sendRaw(t.url, `GET ${path} HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`);

    expect(answer).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
    expect(answer).toContain('application/problem+json');
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toMatchObject({ status: 404, code: 'not_found' });
  });

  it('that is malformed does not hurt', async () => {
    const bad = upgrade.replace('dGhlIHNhbXBsZSBub25jZQ==', 'short');

    expect(await sendRaw(t.url, `GET /conversations/ws/1 HTTP/1.1\r\nHost: a\r\n${bad}\r\n`)).toMatch(
      /^HTTP\/1\.1 400 /,
    );
    expect((await t.http.get('/health/live')).status).toBe(200);
  });
});

/** A text frame as a client sends it (RFC 6455, section 5.2), with a mask of zeros. */
function maskedFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}
