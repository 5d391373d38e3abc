import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { TurnsService } from '../../src/chat/turns/turns.service.js';
import { ReplyStopper } from '../../src/chat/replies/reply-stopper.js';
import { MessagesService } from '../../src/conversations/messages/messages.service.js';
import { until } from '../support/infrastructure/until.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { gate, type PlayedRequest, type Script } from '../support/provider/provider.js';
import type { Thing } from '../support/clients/http.js';
import { ReplyReader } from '../support/clients/reply-reader.js';
import { isDelta } from '../support/clients/events.js';
import type { ChatAnswer, TestUser } from '../support/app/user.js';

afterEach(() => void jest.restoreAllMocks());

const times = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));

/** Makes the provider answer each question with its script in the returned map. */
function answering(t: TestApp): Map<string, Script> {
  const scripts = new Map<string, Script>();
  t.provider.onRequest = ({ messages }) => scripts.get(messages!.at(-1)!.content);
  return scripts;
}

const asked = (t: TestApp, content: string): PlayedRequest[] =>
  t.provider.chats.filter(({ body }) => body.messages!.at(-1)!.content === content);

/** Delays turns before and after they are stored. */
function storeSlowly(t: TestApp, { beforeMs = 0, afterMs = 0 }): void {
  const turns = t.app.get(TurnsService);
  const start = turns.start.bind(turns);
  jest.spyOn(turns, 'start').mockImplementation(async (...args) => {
    await delay(beforeMs);
    return start(...args).finally(() => delay(afterMs));
  });
}

describe('repeated sends', () => {
  let t: TestApp;
  let ada: TestUser;

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
  });
  afterAll(() => t.stop());

  /** Repeats a send until it is answered, as clients do during a restart. */
  async function sendUntilAnswered(id: number, content: string, extra: object): Promise<ChatAnswer> {
    for (;;) {
      const answer = await ada.send(id, content, extra).catch(() => null);
      if (answer && answer.status !== 503) return answer.body;
      await delay(20);
    }
  }

  it('make one reply, also across a restart', async () => {
    const { id } = await ada.createConversation({ title: 'Restarted' });
    const scripts = answering(t);
    scripts.set('Once', ['so far', gate()]);
    const extra = { client_message_id: randomUUID() };
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Once', ...extra });
    await sse.until(isDelta);

    const early = times(10, () => sendUntilAnswered(id, 'Once', extra));
    const restarted = t.restart();
    const late = times(10, () => sendUntilAnswered(id, 'Once', extra));
    await restarted;
    const answers = await Promise.all([...early, ...late, sendUntilAnswered(id, 'Once', extra)]);

    const stored = await ada.history(id);
    expect(stored).toMatchObject([{ content: 'Once' }, { content: 'so far', status: 'interrupted' }]);
    for (const answer of answers) {
      expect([answer.user_message, answer.assistant_message]).toEqual(stored);
    }
    expect(asked(t, 'Once')).toHaveLength(1);
  });

  it('make one edit', async () => {
    const { id } = await ada.createConversation({ title: 'Edited' });
    const { body: first } = await ada.send(id, 'Original');
    const path = `/conversations/${id}/messages/${first.user_message.id}/edit`;
    const edit = { content: 'Changed once', client_message_id: randomUUID() };

    const edits = await Promise.all(times(5, () => ada.post<ChatAnswer>(path, edit)));
    const other = await ada.post(path, { ...edit, content: 'Changed again' });

    expect(new Set(edits.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(edits[0]!.body.user_message.sibling_ids).toHaveLength(2);
    expect(asked(t, 'Changed once')).toHaveLength(1);
    expect(other).toMatchObject({ status: 409, body: { code: 'client_message_id_reused' } });
  });

  it('are answered while other sends are refused during the reply', async () => {
    const { id } = await ada.createConversation({ title: 'Busy' });
    const { body: first } = await ada.send(id, 'First');
    const held = gate();
    answering(t).set('Second', ['so far', held]);
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Second' });
    await sse.until(isDelta);
    const running = (sse.events[1]!.message as Thing).id;

    const answers = await Promise.all([
      ada.send(id, 'Third'),
      ada.post(`/conversations/${id}/messages/${first.assistant_message.id}/regenerate`, {}),
      ada.post(`/conversations/${id}/messages/${running}/regenerate`, {}),
      ada.post(`/conversations/${id}/messages/${first.user_message.id}/edit`, { content: 'Other' }),
      ada.post(`/conversations/${id}/messages/${first.user_message.id}/activate`),
    ]);
    held.open();
    await sse.ended;

    for (const { status, body } of answers) {
      expect([status, body.code, body.assistant_message_id]).toEqual([409, 'reply_in_progress', running]);
    }
    expect(await ada.history(id)).toHaveLength(4);
  });
});

describe('the chat budget', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: '1' } });
  });
  afterAll(() => t.stop());

  it('of 5 concurrent replies does not count repeats', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const scripts = answering(t);
    const held = gate();
    const conversations = await Promise.all(times(6, () => ada.createConversation({ title: 'Full' })));
    const message = { client_message_id: randomUUID() };
    const streams = await Promise.all(
      conversations.slice(0, 5).map(async ({ id }, n) => {
        scripts.set(`Held ${n}`, ['so far', held]);
        const extra = n === 0 ? message : {};
        const sse = await ada.sse(`/conversations/${id}/chat`, { content: `Held ${n}`, ...extra });
        await sse.until(isDelta);
        return sse;
      }),
    );

    const sixth = await ada.send(conversations[5]!.id, 'One too many');
    const repeat = ada.send(conversations[0]!.id, 'Held 0', message);
    held.open();
    await Promise.all(streams.map((sse) => sse.ended));

    expect(sixth).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(Number(sixth.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect((await repeat).status).toBe(200);
    expect((await ada.send(conversations[5]!.id, 'Room again')).status).toBe(200);
  });

  it('is spent once for 20 concurrent sends of one id', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation({ title: 'Storm' });
    const message = { client_message_id: randomUUID() };
    storeSlowly(t, { beforeMs: 100 });

    const answers = await Promise.all(times(20, () => ada.send(id, 'Once in a storm', message)));

    expect(new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1);
    expect(answers[0]!.status).toBe(200);
    expect(asked(t, 'Once in a storm')).toHaveLength(1);
  });

  it('is not spent by repeats or refused sends', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const [one, two] = await Promise.all(times(2, () => ada.createConversation({ title: 'Budget' })));
    const held = gate();
    answering(t).set('Held', ['so far', held]);
    const sse = await ada.sse(`/conversations/${two!.id}/chat`, { content: 'Held' });
    await sse.until(isDelta);
    const message = { client_message_id: randomUUID() };
    const statuses = async (sends: Promise<{ status: number }>[]) =>
      new Set((await Promise.all(sends)).map(({ status }) => status));

    expect(await statuses([ada.send(one!.id, 'Repeated', message)])).toEqual(new Set([200]));
    for (const _ of times(10, () => 0)) {
      expect(await statuses(times(4, () => ada.send(two!.id, 'Refused')))).toEqual(new Set([409]));
      expect(await statuses(times(4, () => ada.send(one!.id, 'Repeated', message)))).toEqual(new Set([200]));
    }
    held.open();
    await sse.ended;
    for (const n of times(28, (n) => n)) expect((await ada.send(one!.id, `New ${n}`)).status).toBe(200);

    expect(await ada.send(one!.id, 'Over')).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(await statuses([ada.send(one!.id, 'Repeated', message)])).toEqual(new Set([200]));
  });
});

describe('concurrent ends of a reply', () => {
  const ROUNDS = Number(process.env.RACE_ROUNDS ?? 6);
  /** Cursor at the start of the conversation. */
  const BEGINNING = '1.1.0.0.done';
  let t: TestApp;
  let ada: TestUser;
  let scripts: Map<string, Script>;

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
    scripts = answering(t);
  });
  afterAll(() => t.stop());

  /** Connects a client per transport, which throws on a second end, or on text or a start after the end. */
  async function watch(id: number): Promise<ReplyReader[]> {
    const [sse, ws, io] = times(3, (n) => new ReplyReader(['SSE', 'WebSocket', 'Socket.IO'][n]!, id));
    const webSocket = ada.ws(id);
    ws!.connect('websocket', { follows: true });
    webSocket.socket.on('message', (data: Buffer) => ws!.apply(JSON.parse(data.toString())));
    const socket = ada.socket();
    io!.connect('socket.io');
    socket.io.onAny((type: string, body: object) => io!.apply({ ...body, type }));
    socket.io.emit('conversation.open', { conversation_id: id }, (ack: object) =>
      io!.apply({ ...ack, type: 'ack' }),
    );
    const events = await ada.sse(`/conversations/${id}/events`, undefined, { 'Last-Event-ID': BEGINNING });
    sse!.connect('events', { follows: true });
    events.listen(sse!.apply);
    await Promise.all([ws!, io!].map((reader) => reader.until(() => reader.received > 0, 'the snapshot')));
    return [sse!, ws!, io!];
  }

  /** Waits for an event published after all pending ones. */
  async function settled(id: number, readers: ReplyReader[]): Promise<void> {
    const marks = readers.map((reader) => {
      const before = reader.updates;
      return () => reader.until(() => reader.updates > before, 'the last update');
    });
    await ada.post(`/conversations/${id}/update`, { title: randomUUID() });
    await Promise.all(marks.map((mark) => mark()));
  }

  async function begin(content: string): Promise<{ id: number; readers: ReplyReader[]; open: () => void }> {
    const { id } = await ada.createConversation({ title: 'Race' });
    const readers = await watch(id);
    const held = gate();
    scripts.set(content, ['so far', held, ' and the rest']);
    void ada.send(id, content);
    await Promise.all(
      readers.map((reader) => reader.until(() => reader.reply?.content === 'so far', 'text')),
    );
    return { id, readers, open: held.open };
  }

  async function chunksOf(id: number): Promise<number> {
    const rows = await t.app
      .get(DataSource)
      .query('SELECT COUNT(*) AS n FROM reply_chunks WHERE message_id = ?', [id]);
    return Number(rows[0].n);
  }

  it('produce one end, sent to all clients and stored', async () => {
    const ends = await Promise.all(
      times(ROUNDS, async (n) => {
        const { id, readers, open } = await begin(`Ending ${n}`);
        await delay(n % 4); // varies the order of the three
        open();
        const stops = await Promise.all(times(2, () => ada.post(`/conversations/${id}/stop`)));
        await Promise.all(readers.map((reader) => reader.until(() => reader.ended, 'the end')));
        await settled(id, readers);

        const reply = (await ada.history(id))[1]!;
        const { status, content } = reply;
        for (const reader of readers) expect(reader.reply).toMatchObject({ status, content });
        for (const stop of stops) {
          if (stop.status === 200) expect(stop.body).toEqual(reply);
          else expect([stop.status, stop.body.code]).toEqual([409, 'no_reply_running']);
        }
        return status;
      }),
    );

    expect(ends.filter((end) => end !== 'complete' && end !== 'stopped')).toEqual([]);
  });

  it('leave no row and send no event after its conversation is deleted', async () => {
    await Promise.all(
      times(ROUNDS, async (n) => {
        const { id, readers, open } = await begin(`Deleting ${n}`);
        const reply = readers[0]!.reply!.id;
        await delay(n % 4);
        open();
        const stop = n % 2 ? [ada.post(`/conversations/${id}/stop`)] : [];
        const deleted = await ada.post(`/conversations/${id}/delete`);
        await Promise.all(stop);
        await Promise.all(readers.map((reader) => reader.until(() => reader.deleted, 'the deletion')));

        expect(deleted.status).toBe(204);
        expect((await ada.get(`/conversations/${id}`)).status).toBe(404);
        await until(async () => (await chunksOf(reply)) === 0);
        for (const { fault } of readers) expect(fault).toBeUndefined();
      }),
    );
  });

  it('include a stop right after its start', async () => {
    storeSlowly(t, { afterMs: 20 });
    await Promise.all(
      times(ROUNDS, async (n) => {
        const { id } = await ada.createConversation({ title: 'Early stop' });
        const readers = await watch(id);
        scripts.set(`Early ${n}`, ['so far', gate()]);
        const sent = ada.send(id, `Early ${n}`);
        let stop = await ada.post(`/conversations/${id}/stop`);
        while (stop.status === 409) stop = await ada.post(`/conversations/${id}/stop`);
        await sent;
        await settled(id, readers);

        const reply = (await ada.history(id))[1]!;
        expect(reply).toEqual(stop.body);
        expect(reply.status).toBe('stopped');
        const { status, content } = reply;
        for (const reader of readers) expect(reader.reply).toMatchObject({ status, content });
        await Promise.all(asked(t, `Early ${n}`).map(({ closed }) => closed));
      }),
    );
  });

  it('leave no reply running when a send races a deletion', async () => {
    storeSlowly(t, { afterMs: 3 });
    await Promise.all(
      times(ROUNDS, async (n) => {
        const { id } = await ada.createConversation({ title: 'Early deletion' });
        const readers = await watch(id);
        scripts.set(`Doomed ${n}`, ['so far', gate()]);
        const sent = ada.send(id, `Doomed ${n}`);
        await delay(n % 5);
        const deleted = await ada.post(`/conversations/${id}/delete`);
        const { status } = await sent;
        await Promise.all(readers.map((reader) => reader.until(() => reader.deleted, 'the deletion')));

        expect(deleted.status).toBe(204);
        expect([200, 404]).toContain(status);
        await Promise.all(asked(t, `Doomed ${n}`).map(({ closed }) => closed));
        for (const { fault } of readers) expect(fault).toBeUndefined();
      }),
    );
    const [row] = await t.app
      .get(DataSource)
      .query('SELECT COUNT(*) AS n FROM messages WHERE streaming_in IS NOT NULL');
    expect(Number(row.n)).toBe(0);
  });

  it('do not start a reply for a send stored just before a deletion', async () => {
    const { id } = await ada.createConversation({ title: 'Deleted at birth' });
    const readers = await watch(id);
    storeSlowly(t, { afterMs: 1000 });
    let sent: Promise<{ status: number }> | undefined;
    const stopper = t.app.get(ReplyStopper);
    const stopIn = stopper.stopIn.bind(stopper);
    const stored = async () => (await ada.history(id)).length > 0;
    jest.spyOn(stopper, 'stopIn').mockImplementation(async (conversationId) => {
      const stopped = await stopIn(conversationId);
      sent = ada.send(id, 'Stillborn');
      await until(stored, 10_000, 5);
      return stopped;
    });

    await ada.post(`/conversations/${id}/delete`);

    expect((await sent)?.status).toBe(404);
    for (const { fault, messages } of readers) expect([fault, messages.size]).toEqual([undefined, 0]);
    expect(asked(t, 'Stillborn')).toEqual([]);
  });

  it('reach clients that are subscribing at that moment', async () => {
    const { id, readers, open } = await begin('Joined late');
    const messages = t.app.get(MessagesService);
    const toDtos = messages.toDtos.bind(messages);
    let reads = 0;
    const ended = readers[0]!.until(() => readers[0]!.ended, 'the end');
    // Holds the reads of the running reply until it has ended, so that clients subscribe at its end.
    jest.spyOn(messages, 'toDtos').mockImplementation(async (rows) => {
      const dtos = await toDtos(rows);
      if (++reads === 3) open();
      if (reads <= 3) await ended;
      return dtos;
    });

    const late = await watch(id);
    await Promise.all(late.map((reader) => reader.until(() => reader.ended, 'the end')));

    for (const reader of late) {
      expect(reader.reply).toMatchObject({ status: 'complete', content: 'so far and the rest' });
    }
  });

  it('never make an answer to conversation.open older than the events before it', async () => {
    await Promise.all(
      times(ROUNDS, async (n) => {
        const { id, readers, open } = await begin(`Opening ${n}`);
        const reader = new ReplyReader('Late', id);
        const socket = ada.socket();
        await socket.connected;
        reader.connect('socket.io');
        socket.io.onAny((type: string, body: object) => reader.apply({ ...body, type }));
        await delay(n % 6);
        open();
        socket.io.emit('conversation.open', { conversation_id: id }, (ack: object) =>
          reader.apply({ ...ack, type: 'ack' }),
        );
        await reader.until(() => reader.ended, 'the end');
        await settled(id, [...readers, reader]);

        expect(reader.fault).toBeUndefined();
        expect(reader.reply).toMatchObject({ status: 'complete', content: 'so far and the rest' });
        await socket.close();
      }),
    );
  });
});
