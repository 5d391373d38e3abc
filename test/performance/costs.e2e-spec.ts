/** Limits of statements, writes and allocations. Explain a higher number in its commit. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Express } from 'express';
import type { Server } from 'node:http';
import type { Namespace } from 'socket.io';
import { SessionSweep } from '../../src/auth/sessions/session-sweep.service.js';
import { SocketLifecycle } from '../../src/chat/transports/socket-io/socket-lifecycle.js';
import { RecoveryPace } from '../../src/chat/replies/recovery/recovery-pace.js';
import { ReplyResponder } from '../../src/chat/transports/http/reply-responder.js';
import { ConcurrencyLimiter } from '../../src/throttling/concurrency-limiter.js';
import { WebSocketClients } from '../../src/chat/transports/websocket/websocket-clients.js';
import { EventHub } from '../../src/events/event-hub.js';
import { FileSweep } from '../../src/files/file-sweep.service.js';
import { MailQueue } from '../../src/mail/mail-queue.service.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { EventLog } from '../support/clients/event-log.js';
import { Survivors } from '../support/app/garbage.js';
import { until } from '../support/infrastructure/until.js';
import { gate, pause, raw, type Script } from '../support/provider/provider.js';
import { StatementLog } from '../support/app/statements.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let statements: StatementLog;
let ada: TestUser;
let conversationId: number;

beforeAll(async () => {
  // Nothing beats, watches or polls meanwhile.
  t = await startTestApp({
    providers: [
      [RecoveryPace, { beatIntervalMs: 3_600_000, leaseMs: 3_600_000 }],
      [SessionSweep, {}],
    ],
  });
  await t.app.get(MailQueue).beforeApplicationShutdown();
  await t.app.get(FileSweep).beforeApplicationShutdown();
  statements = new StatementLog(t);
});
afterAll(() => t.stop());
beforeEach(async () => {
  ada = await t.user().withConfig(t.provider).create();
  // One that has a title asks no model for one.
  conversationId = (await ada.createConversation({ title: 'Costs' })).id;
  await ada.send(conversationId, 'Hi');
  await settled();
});

interface Frame {
  type?: undefined;
  text: string;
}

const isJournal = (statement: string) => statement.endsWith(' reply_chunks');

/** The write buffer deletes an ended reply's chunks with its next write: the last statement of a chat. */
async function settled(): Promise<void> {
  const seen: string[] = [];
  await until(async () => {
    seen.push(...statements.take());
    return seen.includes('DELETE reply_chunks');
  });
}

describe('a chat', () => {
  it('takes thirteen statements plus those of the write buffer', async () => {
    await ada.send(conversationId, 'Hi');

    expect(statements.take().filter((statement) => !isJournal(statement))).toEqual([
      'SELECT sessions',
      'SELECT conversations',
      'BEGIN',
      'SELECT conversations',
      'INSERT messages',
      'INSERT messages',
      'UPDATE conversations',
      'COMMIT',
      'SELECT messages',
      'BEGIN',
      'UPDATE messages',
      'INSERT daily_usage',
      'COMMIT',
    ]);
  });

  it('reads no messages for the first turn of a conversation', async () => {
    const { id } = await ada.createConversation({ title: 'Costs' });
    statements.take();

    await ada.send(id, 'Hi');

    const taken = statements.take();
    expect(taken).toContain('INSERT messages');
    expect(taken).not.toContain('SELECT messages');
  });

  it('sends one provider request on a reused connection, and one more for the title', async () => {
    const { id } = await ada.createConversation();
    const before = { requests: t.provider.requests.length, connections: t.provider.connections };
    // What the second wrongly asked for would be there when the third has ended.
    for (const content of ['Hi', 'And?', 'Thanks']) await ada.send(id, content);

    const asked = t.provider.requests.slice(before.requests);
    expect(asked.filter(({ isTitle }) => isTitle)).toHaveLength(1);
    expect(asked).toHaveLength(4);
    // The title is asked for while the second reply runs, perhaps.
    expect(t.provider.connections - before.connections).toBeLessThanOrEqual(1);
  });

  it('writes at a rate independent of the number of replies', async () => {
    const conversations = await Promise.all(
      Array.from({ length: 30 }, () => ada.createConversation({ title: 'Costs' })),
    );
    const go = gate();
    // A second's worth: the time of five writes.
    t.provider.onRequest = () => [
      go,
      ...Array<Script>(40)
        .fill(['token ', pause(25)])
        .flat(),
    ];
    const asked = t.provider.chats.length;
    const sent = conversations.map(({ id }) => ada.send(id, 'Hi'));
    await t.provider.waitForRequests(asked + conversations.length);
    statements.take();
    const began = performance.now();
    go.open();
    await Promise.all(sent);
    t.provider.onRequest = undefined;

    const seconds = (performance.now() - began) / 1000;
    const written = statements.take();
    // Five times a second, and each time ended replies' chunks are deleted, if there are any.
    expect(written.filter(isJournal).length).toBeLessThanOrEqual(2 * (5 * seconds + 1));
    const perReply = ['BEGIN', 'COMMIT', 'INSERT daily_usage', 'UPDATE messages'];
    expect(written.filter((statement) => !isJournal(statement)).sort()).toEqual(
      perReply.flatMap((statement) => Array<string>(conversations.length).fill(statement)),
    );
  });
});

describe('a token', () => {
  const TOKEN = 'token ';
  const TOKENS = 50;
  /** A frame’s, but for its token and the digits of its numbers, which differ from one run to another. */
  const MOST_BYTES: Record<string, number> = { 'Socket.IO': 95, SSE: 131, WebSocket: 94 };

  const transports: Record<string, (onFrame: (frame: string) => void) => Promise<void>> = {
    async 'Socket.IO'(onFrame) {
      const socket = ada.socket();
      await socket.connected;
      socket.io.io.engine.on('data', onFrame);
      await socket.chat(conversationId, 'Hi');
      await socket.close();
    },
    async SSE(onFrame) {
      const path = `/conversations/${conversationId}/chat`;
      const headers = { Accept: 'text/event-stream' };
      const answer = await ada.fetch('POST', path, { content: 'Hi' }, headers);
      const decoder = new TextDecoder();
      let rest = '';
      for await (const bytes of answer.body!) {
        const frames = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
        rest = frames.pop()!;
        frames.forEach((frame) => onFrame(`${frame}\n\n`));
      }
    },
    async WebSocket(onFrame) {
      const client = ada.ws(conversationId);
      client.socket.on('message', (data) => onFrame(String(data)));
      await client.request('chat.send', { content: 'Hi' });
      await client.until(({ type }) => type === 'message.completed');
      await client.close();
    },
  };

  /** The deltas of a reply, as they were on the wire. */
  async function chat(transport: string, script: (frames: EventLog<Frame>) => Script): Promise<string[]> {
    const log = new EventLog<Frame>(transport);
    t.provider.willStream(...script(log));
    await transports[transport]!((text) => {
      if (text.includes('message.delta')) log.push({ text });
    });
    return log.events.map(({ text }) => text);
  }

  const ownBytes = (frame: string) => Buffer.byteLength(frame.replace(TOKEN, '').replace(/\d/g, ''));

  it.each(Object.keys(transports))('that arrives alone is one small frame: %s', async (transport) => {
    const frames = await chat(transport, (log) =>
      Array.from({ length: TOKENS }, (_, index): Script => {
        return [TOKEN, async () => void (await log.until(() => log.events.length > index))];
      }).flat(),
    );

    expect(frames).toHaveLength(TOKENS);
    expect(Math.max(...frames.map(ownBytes))).toBeLessThanOrEqual(MOST_BYTES[transport]!);
  });

  it.each(Object.keys(transports))('shares a frame with others of the same read: %s', async (transport) => {
    const choices = [{ index: 0, delta: { content: TOKEN }, finish_reason: null }];
    const frames = await chat(transport, () => [
      raw(`data: ${JSON.stringify({ choices })}\n\n`.repeat(TOKENS)),
    ]);

    // Two, where the network has cut the bytes in two.
    expect(frames.length).toBeLessThanOrEqual(2);
  });
});

describe('a request', () => {
  it('has Express’s prototypes from construction', async () => {
    const { request, response } = t.app.getHttpAdapter().getInstance() as Express;
    const made: unknown[] = [];
    const server = t.app.getHttpServer() as Server;
    server.prependOnceListener('request', (...pair) => made.push(...pair.map(Object.getPrototypeOf)));
    await ada.get('/conversations');

    expect(made[0]).toBe(request);
    expect(made[1]).toBe(response);
  });
});

describe('a closed socket', () => {
  const SOCKETS = 20;
  /** Each transport’s own objects for the sockets that are open. */
  const open: Record<string, () => Iterable<object>> = {
    'Socket.IO': () => {
      const { sockets } = namespace();
      return [...sockets.values()].flatMap((socket) => [socket, socket.conn, socket.data.client]);
    },
    SSE: () => inside<Set<object>>(ReplyResponder, 'following'),
    WebSocket: () => inside<Set<object>>(WebSocketClients, 'clients'),
  };
  const connect: Record<string, () => Promise<{ close(): Promise<void> }>> = {
    async 'Socket.IO'() {
      const socket = ada.socket();
      await socket.emit('conversation.open', { conversation_id: conversationId });
      return socket;
    },
    SSE: () => ada.sse(`/conversations/${conversationId}/events`),
    async WebSocket() {
      const client = ada.ws(conversationId);
      await client.until(() => true);
      return client;
    },
  };

  it.each(Object.keys(open))('leaves no object in memory: %s', async (transport) => {
    const before = held();
    const survivors = new Survivors();
    await openAndClose(transport, survivors);

    expect(survivors.total).toBeGreaterThanOrEqual(SOCKETS);
    await until(async () => survivors.count() === 0);
    // Socket.IO's events are kept for the user's sockets that may come back: by one listener, however many they were.
    const kept = transport === 'Socket.IO' ? 1 : 0;
    expect(held()).toEqual({ ...before, listeners: before.listeners + kept });
  });

  it('leaves no object in memory after its user’s last connection', async () => {
    const survivors = new Survivors();
    const users = [await t.user().create(), await t.user().create(), await t.user().create()];
    await openAndClose('Socket.IO', survivors, () => Promise.all(users.map(connectOnly)));

    expect(survivors.total).toBe(3 * users.length);
    await until(async () => survivors.count() === 0);
  });

  async function connectOnly(user: TestUser) {
    const socket = user.socket();
    await socket.connected;
    return socket;
  }

  /** In a function of its own, lest this test's variables hold what it looks for. */
  async function openAndClose(
    transport: string,
    survivors: Survivors,
    connectAll = () => Promise.all(Array.from({ length: SOCKETS }, () => connect[transport]!())),
  ): Promise<void> {
    const clients = await connectAll();
    survivors.watch(open[transport]!());
    await Promise.all(clients.map((client) => client.close()));
    await until(async () => [...open[transport]!()].length === 0);
  }

  const namespace = () => inside<Namespace>(SocketLifecycle, 'namespace');

  function held() {
    const listeners = inside<Map<number, Set<unknown>>>(EventHub, 'listeners');
    const readers = inside<Map<number, Set<unknown>>>(EventHub, 'deltaListeners');
    const places = inside<Map<string, unknown>>(ConcurrencyLimiter, 'counters');
    return { listeners: listeners.get(ada.id)?.size ?? 0, readers: readers.size, places: places.size };
  }

  /** What no one else needs to see. */
  function inside<T>(token: new (...parts: never[]) => unknown, member: string): T {
    return (t.app.get(token) as Record<string, T>)[member]!;
  }
});
