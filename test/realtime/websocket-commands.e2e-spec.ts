/** WebSocket: the snapshot, events and commands. */
import { isCompleted, isDelta, textOf } from '../support/clients/events.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { FieldError } from '../../src/common/errors/errors.js';
import { tokenWithSecondsLeft } from '../support/app/access-token.js';
import { closeCode, snapshot } from '../support/clients/websocket.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { type SeenEvent } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { gate, type PlayedProvider } from '../support/provider/provider.js';
import type { ChatAnswer, TestUser } from '../support/app/user.js';
import { WebSocketClient } from '../support/clients/websocket.js';

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

/** Of fields that are no part of a DTO. */
const OWN_MESSAGES: Record<string, string> = {
  type: 'There is no such command.',
  id: 'Must be a number or text.',
};

const isAck = ({ type }: SeenEvent) => type === 'ack';

describe('the conversation of a WebSocket', () => {
  it('is the first frame, with the fields of GET beside its type', async () => {
    const { id: own } = await ada.createConversation({ title: 'Snap' });
    await ada.send(own, 'Hi');
    const ws = ada.ws(own);

    await snapshot(ws);

    const { body } = await ada.get(`/conversations/${own}`);
    expect(ws.frames[0]).toEqual({ ...body, type: 'conversation.snapshot' });
    await ws.close();
  });

  it('is the first frame for a token about to expire too', async () => {
    const ws = ada.ws(id, { token: tokenWithSecondsLeft(t, ada, 30) });

    const { expires_at } = await ws.until(({ type }) => type === 'session.expiring');

    expect(ws.frames.map(({ type }) => type)).toEqual(['conversation.snapshot', 'session.expiring']);
    expect(Date.parse(expires_at as string) - Date.now()).toBeLessThan(31_000);
    await ws.close();
  });

  it.each(['999999', '0', '-1', '1.5', 'abc', '%31', '9223372036854775808', '1e3'])(
    'closes with 4404 for the id %s',
    async (missing) => {
      expect(await closeCode(ada.ws(missing))).toBe(4404);
    },
  );

  it('closes with 4404 for another user’s conversation as for a missing one', async () => {
    const bob = await t.user().create();
    const [theirs, missing] = [bob.ws(id), bob.ws(999_999)];

    expect(await theirs.closed).toEqual(await missing.closed);
    expect(theirs.frames).toEqual([]);
    expect(await closeCode(theirs)).toBe(4404);
  });

  it('sends conversation.deleted and closes with 4404 when it is deleted', async () => {
    const { id: own } = await ada.createConversation();
    const ws = ada.ws(own);
    await snapshot(ws);

    await ada.post(`/conversations/${own}/delete`);

    expect(await closeCode(ws)).toBe(4404);
    expect(ws.frames.at(-1)).toEqual({ type: 'conversation.deleted', conversation_id: own });
  });

  it('forwards its own events and no other’s', async () => {
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

describe('commands', () => {
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

  it('send, stop, regenerate and edit without naming the conversation', async () => {
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

  it('open a conversation like GET, and end its deltas with close', async () => {
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

  it('open and close another conversation of the user', async () => {
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
    const { errors } = ack.error as { errors: FieldError[] };
    expect(errors.map(({ field }) => field).sort()).toEqual(fields);
    const [{ field, message } = { field: '', message: '' }] = errors;
    expect(message).toEqual(OWN_MESSAGES[field] ?? expect.any(String));
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
  ])('refuse %s, and the connection stays open', async (_, frame) => {
    const before = ws.frames.length;

    await ws.send(frame);
    const ack = await ws.until((seen) => isAck(seen) && ws.frames.indexOf(seen) >= before);

    expect(ack).toMatchObject({
      ok: false,
      error: { status: 400, code: 'bad_request', detail: 'A frame must be a JSON object, as text.' },
    });
    expect(await ws.request('conversation.close')).toMatchObject({ ok: true });
  });

  it('sent right behind the token are processed in order', async () => {
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
