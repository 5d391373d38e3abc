/** Log lines of replies, providers and sockets: one for each event, with ids, without user text. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ReplyEngine } from '../../src/chat/replies/reply-engine.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Thing } from '../support/clients/http.js';
import { type LogLine, LogLines } from '../support/app/log-lines.js';
import { until } from '../support/infrastructure/until.js';
import { errorEvent, gate, type Piece, stall, usage } from '../support/provider/provider.js';
import { sendRaw } from '../support/clients/raw.js';
import type { TestUser } from '../support/app/user.js';

const log = new LogLines();
/** Text of a user, a provider and an anonymous client; adds a second line to a log that does not escape it. */
const WORDS = `planted-${randomUUID()}\r\n{"level":"fatal","msg":"planted"}`;

let t: TestApp;
let ada: TestUser;
let configId: number;
beforeAll(async () => {
  t = await startTestApp({ log });
  ada = await t.user().withConfig(t.provider).create();
  configId = ada.configId!;
});
afterAll(() => t?.stop());

const lines = (msg: string, fields: LogLine) =>
  log.filter(
    (line) => line.msg === msg && Object.entries(fields).every(([key, value]) => line[key] === value),
  );

/** Starts a reply, and resolves with its id once its first text has come. */
async function begin(conversationId: number, ...script: Piece[]): Promise<number> {
  t.provider.willStream('Hel', ...script);
  const sse = await ada.sse(`/conversations/${conversationId}/chat`, { content: WORDS });
  await sse.until(({ type }) => type === 'message.delta');
  const created = sse.events.filter(({ type }) => type === 'message.created');
  return (created.at(-1)!.message as Thing).id as number;
}

const numbers = usage({ prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 });

describe('the end of a reply', () => {
  type End = [what: string, script: Piece[], act: (id: number) => Promise<unknown>, line: object];
  const nothing = () => Promise.resolve();
  const ends: End[] = [
    ['complete', [numbers], nothing, { status: 'complete', prompt_tokens: 3, completion_tokens: 2 }],
    ['failed', [errorEvent({ message: WORDS })], nothing, { status: 'failed', code: 'upstream_error' }],
    ['stopped', [stall()], (id) => ada.post(`/conversations/${id}/stop`), { status: 'stopped' }],
    [
      'deleted with its conversation',
      [stall()],
      (id) => ada.post(`/conversations/${id}/delete`),
      { status: 'stopped' },
    ],
  ];

  it.each(ends)('is logged once: %s', async (_what, script, act, expected) => {
    const { id } = await ada.createConversation();
    const messageId = await begin(id, ...script);
    await act(id);

    await log.until((line) => line.msg === 'Reply ended' && line.message_id === messageId);
    expect(lines('Reply ended', { message_id: messageId })).toEqual([
      expect.objectContaining({
        level: 'info',
        conversation_id: id,
        user_id: ada.id,
        duration_ms: expect.any(Number),
        ...expected,
      }),
    ]);
  });

  it('is logged once when a shutdown interrupts it', async () => {
    const { id } = await ada.createConversation();
    const message_id = await begin(id, stall());
    await t.restart();

    const [line, ...more] = lines('Reply ended', { message_id });
    expect([line, more]).toEqual([expect.objectContaining({ status: 'interrupted' }), []]);
    expect(line!.duration_ms).toBeGreaterThan(900);
  });
});

describe('a provider error', () => {
  const error = { error: { message: WORDS } };
  const task = () => ({ level: 'warn', user_id: ada.id, config_id: configId });

  it('is logged once per try, retries included', async () => {
    const { id } = await ada.createConversation();
    t.provider.willAnswer(503, error).willReset().willAnswer(401, error);
    const { body } = await ada.send(id, WORDS);
    const { id: message_id } = body.assistant_message;

    const reply = { ...task(), task: 'reply', message_id, conversation_id: id };
    const again = lines('Provider failed and is asked again', { message_id });
    expect(again).toEqual([
      expect.objectContaining({
        ...reply,
        code: 'upstream_error',
        upstream_status: 503,
        retry_in_ms: expect.any(Number),
      }),
      expect.objectContaining({ ...reply, code: 'upstream_unreachable' }),
    ]);
    expect(lines('Provider failed', { message_id })).toEqual([
      expect.objectContaining({ ...reply, code: 'upstream_auth' }),
    ]);
  });

  it('is logged once when a parameter is refused and omitted', async () => {
    const { id } = await ada.createConversation();
    t.provider.willAnswer(400, { error: { message: 'Unknown parameter: stream_options' } });
    const { body } = await ada.send(id, 'Hi');
    const { id: message_id, status } = body.assistant_message;

    expect(status).toBe('complete');
    expect(lines('Provider failed and is asked again', { message_id })).toEqual([
      expect.objectContaining({ ...task(), upstream_status: 400, retry_in_ms: 0 }),
    ]);
  });

  it('is logged once in the middle of a reply', async () => {
    const { id } = await ada.createConversation();
    const message_id = await begin(id, errorEvent({ message: WORDS }));
    await log.until((line) => line.msg === 'Reply ended' && line.message_id === message_id);

    expect(lines('Provider failed', { message_id })).toEqual([expect.objectContaining(task())]);
  });

  it('is not logged when the user stopped the reply', async () => {
    const { id } = await ada.createConversation();
    const message_id = await begin(id, stall());
    await ada.post(`/conversations/${id}/stop`);

    expect(lines('Provider failed', { message_id })).toEqual([]);
  });

  it('is logged once for a title request', async () => {
    const { id } = await ada.createConversation();
    t.provider.title = [errorEvent({ message: WORDS })];
    await ada.send(id, 'Hi');

    const isIt = (line: LogLine) => line.task === 'title' && line.conversation_id === id;
    expect(await log.until(isIt)).toMatchObject({ ...task(), msg: 'Provider failed' });
    t.provider.title = 'A fine title';
  });

  it('is logged once for a config test and for a model list', async () => {
    t.provider.willAnswer(401, error);
    const answer = await ada.post(`/auth/config/${configId}/test`);
    expect(answer.body).toMatchObject({ ok: false });
    expect(answer.body.error).not.toHaveProperty('status');
    expect(lines('Provider failed', { task: 'test' })).toEqual([
      expect.objectContaining({ ...task(), upstream_status: 401 }),
    ]);

    const unreachable = { model_url: 'http://127.0.0.1:1/v1', model_name: 'x', api_key: 'x' };
    const { body } = await ada.post('/auth/config/create', unreachable);
    expect((await ada.get(`/auth/config/${body.id}/models`)).status).toBe(502);
    expect(lines('Provider failed', { task: 'models' })).toEqual([
      expect.objectContaining({ ...task(), config_id: body.id, code: 'upstream_unreachable' }),
    ]);
  });
});

describe('a refused socket command', () => {
  const commands: [event: string, body: object, code: string][] = [
    ['conversation.open', { conversation_id: 999_999 }, 'not_found'],
    ['chat.send', { content: '' }, 'validation_failed'],
    ['chat.regenerate', { message_id: 999_999 }, 'not_found'],
    ['auth.refresh', { token: WORDS }, 'unauthenticated'],
    [WORDS, { content: WORDS }, 'validation_failed'],
  ];

  it.each(commands)('is logged once with the request id of its answer: %j %j', async (event, body, code) => {
    const { id } = await ada.createConversation();
    const whole = event === 'auth.refresh' ? body : { conversation_id: id, ...body };
    const socketIo = await ada.socket().emit(event, whole);
    const webSocket = await ada.ws(id).request(event, whole);

    for (const [transport, answer] of Object.entries({ 'socket.io': socketIo, websocket: webSocket })) {
      const { request_id, status } = answer.error as Thing;
      expect(lines('Socket command refused', { request_id })).toEqual([
        expect.objectContaining({
          level: 'info',
          transport,
          status,
          code,
          user_id: ada.id,
          session_id: expect.any(Number),
          ...(event === WORDS ? {} : { command: event }),
        }),
      ]);
    }
    expect((socketIo.error as Thing).request_id).not.toBe((webSocket.error as Thing).request_id);
  });

  it('is logged once if the command is unreadable', async () => {
    const { id } = await ada.createConversation();
    const ws = ada.ws(id);
    await ws.send(WORDS);
    const { error } = await ws.until(({ type }) => type === 'ack');

    const { request_id } = error as Thing;
    expect(lines('Socket command refused', { request_id })).toHaveLength(1);
  });

  it('is logged once for a refused connection', async () => {
    const socket = ada.socket({ auth: { token: WORDS } });
    const refused = await socket.connected.catch((error: { data: Thing }) => error.data);
    const { request_id } = refused as Thing;
    expect(lines('Socket command refused', { request_id })).toMatchObject([
      { transport: 'socket.io', command: 'connect', code: 'unauthenticated' },
    ]);

    const ofWebSockets = () =>
      lines('Socket command refused', { transport: 'websocket', command: 'connect' });
    // Nest's logger is shared by the process, so late lines of an earlier test file may occur.
    const earlier = ofWebSockets().length;
    await ada.ws(999_999).closed;
    expect(ofWebSockets().slice(earlier)).toMatchObject([{ code: 'not_found', status: 404 }]);
  });

  it('is logged once for a refused handshake', async () => {
    const answer = await t.http.get('/socket.io/?EIO=4&transport=polling', {
      Origin: 'https://evil.example',
    });

    const { request_id } = answer.body;
    expect(answer.headers.get('X-Request-Id')).toBe(request_id);
    expect(lines('Handshake refused', { request_id })).toMatchObject([
      { status: 403, code: 'origin_forbidden' },
    ]);
  });
});

it('logs a request that is not HTTP without its content', async () => {
  const answer = await sendRaw(t.url, `GET /planted HTTP/1.1\r\nplanted\r\n\r\n`);

  const [, request_id] = /"request_id":"([^"]+)"/.exec(answer)!;
  expect(lines('Unreadable request refused', { request_id })).toMatchObject([{ status: 400 }]);
});

describe('the end of a reply on two nodes', () => {
  it('is logged once when another node ended it', async () => {
    const { id } = await ada.createConversation();
    const held = gate();
    const message_id = await begin(id, held);
    const node = await t.startNode();
    t.opened({ close: () => node.stop() });
    const headers = { Authorization: `Bearer ${ada.tokens.access_token}` };
    expect((await node.http.post(`/conversations/${id}/stop`, {}, headers)).status).toBe(200);
    held.open();
    await until(() => Promise.resolve(t.app.get(ReplyEngine).find(message_id) === undefined));

    expect(lines('Reply ended', { message_id })).toEqual([expect.objectContaining({ status: 'stopped' })]);
  });
});

it('the log contains no text of a user, a provider or a client after all tests above', () => {
  expect(log.filter(({ msg }) => msg === 'Reply ended').length).toBeGreaterThan(5);
  expect(log.text).not.toContain('planted');
});
