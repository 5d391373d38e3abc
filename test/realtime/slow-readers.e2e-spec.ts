/** Clients that stop reading, over each transport: they are cut, nobody else notices, and they may come back. */
import { isCompleted, textOf } from '../support/clients/events.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createParser } from 'eventsource-parser';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Namespace } from 'socket.io';
import type { WebSocket } from 'ws';
import { SocketLifecycle } from '../../src/chat/transports/socket-io/socket-lifecycle.js';
import { EventHub } from '../../src/events/event-hub.js';
import { ParleyEvent } from '../../src/events/parley-event.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { EventLog, within, type SeenEvent } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { gate, type PlayedProvider } from '../support/provider/provider.js';
import type { SocketClient } from '../support/clients/socket.js';
import type { ChatAnswer, TestUser } from '../support/app/user.js';

const MIB = 1024 * 1024;
/** Not of one letter, so that what is lost, doubled or out of order shows. */
const PIECES = Array.from({ length: 80 }, (_, n) => `${n} `.padEnd(64 * 1024, `${n % 10}é`));
const TEXT = PIECES.join('');

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;
let id: number;
/** By the client's port: the most that waited for it in the server. */
const waitedMost = new Map<number, number>();
const connections = new Map<number, Socket>();
let sampler: NodeJS.Timeout;

beforeAll(async () => {
  t = await startTestApp();
  provider = t.provider;
  // All clients are of this process: between two pieces they have to get their turn.
  provider.delayMs = 3;
  ada = await t.user().withConfig(provider).create();
  t.app.getHttpServer().on('connection', (connection: Socket) => {
    connections.set(connection.remotePort!, connection);
    connection.once('close', () => connections.delete(connection.remotePort!));
  });
  sampler = setInterval(() => {
    for (const [port, { writableLength }] of connections) {
      waitedMost.set(port, Math.max(waitedMost.get(port) ?? 0, writableLength));
    }
  }, 1);
});
afterAll(async () => {
  clearInterval(sampler);
  await t?.stop();
});
beforeEach(async () => {
  ({ id } = await ada.createConversation());
});

const tcpOf = (webSocket: WebSocket) => (webSocket as unknown as { _socket: Socket })._socket;
const webSocketOf = ({ io }: SocketClient) =>
  (io.io.engine as unknown as { transport: { ws: WebSocket } }).transport.ws;

/** Has the whole text sent but for its last piece, which is sent when the gate is opened. */
function willStreamAlmostAll() {
  const held = gate();
  provider.willStream(...PIECES.slice(0, -1), held, PIECES.at(-1)!);
  return held;
}

/** Resolves when the server has given up the connection that a client has from this port. */
async function cutByServer(port: number | undefined): Promise<void> {
  const connection = connections.get(port!);
  if (connection) await within(once(connection, 'close'), 'The server did not cut it', 8000);
}

async function wholeTextFor(socket: SocketClient, sent: ChatAnswer): Promise<void> {
  await socket.until(isCompleted, 20_000);
  expect(textOf(socket.events, String(sent.assistant_message.content)) === TEXT).toBe(true);
}

describe('a client that stops reading', () => {
  it('of server-sent events is disconnected, and resumes with exactly the rest', async () => {
    const held = willStreamAlmostAll();
    const reader = await ada.sse(`/conversations/${id}/events`);
    const stalled = connect(Number(new URL(t.url).port), '127.0.0.1');
    stalled.write(
      `GET /conversations/${id}/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${ada.tokens.access_token}\r\n\r\n`,
    );
    stalled.pause();
    await once(stalled, 'connect');
    const { localPort: port } = stalled;
    const cut = cutByServerOnceThere(port);

    const socket = ada.socket();
    const sent = await socket.emit<ChatAnswer>('chat.send', { conversation_id: id, content: 'Hi' });
    await cut;
    held.open();
    await wholeTextFor(socket, sent.data);
    await reader.until(isCompleted, 20_000);

    expect(textOf(reader.events) === TEXT).toBe(true);
    const seen = await eventsLeftIn(stalled);
    expect(textOf(seen).length).toBeLessThan(TEXT.length);
    const { id: lastEventId } = seen.at(-1) as unknown as { id: string };
    const resumed = await ada.sse(`/conversations/${id}/events`, undefined, { 'Last-Event-ID': lastEventId });
    await resumed.until(isCompleted, 20_000);
    expect(textOf(resumed.events, textOf(seen)) === TEXT).toBe(true);
    expect(resumed.events[0]).toMatchObject({ type: 'message.delta', offset: textOf(seen).length });
    expect(waitedMost.get(port!)).toBeLessThan(1.5 * MIB);
    await Promise.all([reader.close(), resumed.close(), socket.close()]);
  });

  it('of a WebSocket is disconnected, and finds everything in the next snapshot', async () => {
    const held = willStreamAlmostAll();
    const stalled = ada.ws(id);
    const reader = ada.ws(id);
    for (const ws of [stalled, reader]) await ws.until(({ type }) => type === 'conversation.snapshot');
    const { localPort } = tcpOf(stalled.socket);

    stalled.socket.pause();
    const sent = await reader.request('chat.send', { content: 'Hi' });
    await cutByServer(localPort);
    const back = ada.ws(id);
    const snapshot = await back.until(({ type }) => type === 'conversation.snapshot');
    held.open();
    for (const ws of [reader, back]) await ws.until(isCompleted, 20_000);
    stalled.socket.resume();

    expect((await stalled.closed).code).toBe(1006);
    const start = String((sent.data as ChatAnswer).assistant_message.content);
    expect(textOf(reader.frames, start) === TEXT).toBe(true);
    const soFar = String((snapshot.messages as Thing[])[1]!.content);
    expect(soFar.length).toBeGreaterThan(textOf(stalled.frames).length);
    expect(textOf(back.frames, soFar) === TEXT).toBe(true);
    expect(waitedMost.get(localPort!)).toBeLessThan(1.5 * MIB);
    await Promise.all([reader.close(), back.close()]);
  });

  it('of Socket.IO is disconnected, and recovers everything', async () => {
    const held = willStreamAlmostAll();
    const [stalled, reader] = [ada.recoveringSocket(), ada.socket()];
    const log = new EventLog('The stalled client');
    stalled.io.onAny((type: string, body: object) => log.push({ ...body, type }));
    await stalled.emit('conversation.open', { conversation_id: id });
    await ada.post(`/conversations/${id}/update`, { title: 'So that there is an event' });
    await log.until(({ type }) => type === 'conversation.updated');
    const webSocket = webSocketOf(stalled);
    const { localPort } = tcpOf(webSocket);

    webSocket.pause();
    const sent = await reader.emit<ChatAnswer>('chat.send', { conversation_id: id, content: 'Hi' });
    await cutByServer(localPort);
    webSocket.resume();
    await stalled.disconnected;
    const before = textOf(log.events).length;
    const back = once(stalled.io as never, 'connect');
    stalled.io.connect();
    await back;
    held.open();
    await log.until(isCompleted, 20_000);

    expect(stalled.io.recovered).toBe(true);
    expect(waitedMost.get(localPort!)).toBeLessThan(1.5 * MIB);
    expect(before).toBeLessThan(TEXT.length);
    expect(textOf(log.events) === TEXT).toBe(true);
    expect(log.events.filter(({ type }) => type === 'message.created')).toHaveLength(2);
    await wholeTextFor(reader, sent.data);
    await Promise.all([stalled.close(), reader.close()]);
  });

  it('of Socket.IO by polling is disconnected when it stops polling', async () => {
    const held = willStreamAlmostAll();
    const reader = ada.socket();
    const poller = new Poller(ada, t.url);
    await poller.open(id);

    const sent = await reader.emit<ChatAnswer>('chat.send', { conversation_id: id, content: 'Hi' });
    await reader.until(
      () => textOf(reader.events, String(sent.data.assistant_message.content)).length > 4 * MIB,
    );

    expect((await poller.poll()).status).toBe(400);
    held.open();
    await wholeTextFor(reader, sent.data);
    await reader.close();
  });
});

describe('a client that reads', () => {
  it('receives a reply of many MiB over every transport, live, late and resumed', async () => {
    const polling = ada.socket({ transports: ['polling'] });
    await polling.emit('conversation.open', { conversation_id: id });
    const [live, ws] = [await ada.sse(`/conversations/${id}/events`), ada.ws(id)];
    await ws.until(({ type }) => type === 'conversation.snapshot');
    const message = { content: 'Hi', client_message_id: '4d3c2b1a-0000-4000-8000-000000000003' };
    const gates = Array.from({ length: PIECES.length / 5 }, gate);
    provider.willStream(...gates.flatMap((held, n) => [...PIECES.slice(5 * n, 5 * n + 5), held]));

    const posted = await ada.sse(`/conversations/${id}/chat`, message);
    // A poller that gets no CPU for long would count as stalled.
    for (const [n, held] of gates.entries()) {
      await polling.until(() => textOf(polling.events).length >= (n + 1) * 5 * PIECES[0]!.length);
      held.open();
    }
    for (const client of [polling, live, ws, posted]) await client.until(isCompleted, 25_000);
    const repeated = await ada.sse(`/conversations/${id}/chat`, message);
    await repeated.until(isCompleted, 20_000);
    const first = live.events.find((event) => event.type === 'message.created') as unknown as { id: string };
    const resumed = await ada.sse(`/conversations/${id}/events`, undefined, { 'Last-Event-ID': first.id });
    await resumed.until(isCompleted, 20_000);
    const late = ada.ws(id);
    const snapshot = await late.until(({ type }) => type === 'conversation.snapshot', 20_000);
    const opening = ada.socket();
    const opened = await opening.emit<{ messages: Thing[] }>(
      'conversation.open',
      { conversation_id: id },
      20_000,
    );

    for (const { events } of [polling, live, { events: ws.frames }, posted, repeated, resumed]) {
      expect(textOf(events) === TEXT).toBe(true);
      expect((events.find(isCompleted)!.message as Thing).content === TEXT).toBe(true);
    }
    expect((snapshot.messages as Thing[])[1]!.content === TEXT).toBe(true);
    expect(opened.data.messages[1]!.content === TEXT).toBe(true);
    await Promise.all([polling, live, ws, late, opening, resumed].map((client) => client.close()));
  });
});

describe('a recovered client', () => {
  it('is not disconnected for its replay when a new event arrives before it is read', async () => {
    const socket = ada.recoveringSocket();
    const log = new EventLog('The recovered client');
    socket.io.onAny((type: string, body: object) => log.push({ ...body, type }));
    await socket.emit('conversation.open', { conversation_id: id });
    await ada.post(`/conversations/${id}/update`, { title: 'So that there is an event' });
    await log.until(({ type }) => type === 'conversation.updated');
    socket.io.io.engine.close();
    await socket.disconnected;
    // Of 3 bytes each: together more than may wait for a client that keeps up.
    const [ended, running] = ['語', '話'].map((letter) => letter.repeat(0.3 * MIB)) as [string, string];
    const held = gate();
    provider.willStream(ended).willStream(running, held);
    await ada.send(id, 'Hi');
    const sender = await ada.sse(`/conversations/${id}/chat`, { content: 'And?' });
    await sender.until(() => textOf(sender.events) === running);

    const { namespace } = t.app.get(SocketLifecycle) as unknown as { namespace: Namespace };
    const live = new ParleyEvent('config.changed', { configs: [] });
    // In the tick in which the socket receives what it had missed.
    namespace.once('connection', () => t.app.get(EventHub).deliver(ada.id, live));
    const back = once(socket.io as never, 'connect');
    socket.io.connect();
    await back;
    await log.until(({ type }) => type === 'config.changed');
    held.open();
    await log.until(({ message }) => (message as Thing | undefined)?.content === running);

    expect(socket.io.recovered).toBe(true);
    expect((log.events.find(isCompleted)!.message as Thing).content === ended).toBe(true);
    expect(textOf(log.events) === running).toBe(true);
    await socket.close();
  });
});

/** As `cutByServer`, for a connection that the server may not have seen yet. */
async function cutByServerOnceThere(port: number | undefined): Promise<void> {
  while (!connections.has(port!)) await new Promise(setImmediate);
  await cutByServer(port);
}

/** The whole events in what a cut connection's client still finds when it reads on. */
async function eventsLeftIn(socket: Socket): Promise<SeenEvent[]> {
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => (received += text));
  socket.on('error', () => undefined).resume();
  if (!socket.closed) await once(socket, 'close').catch(() => undefined);
  const events: SeenEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, id: eventId, data }) => events.push({ ...JSON.parse(data), type: event, id: eventId }),
  });
  // Chunks (RFC 9112, section 7.1) end where their size says; in JSON on one line no other line is of hexadecimals alone.
  const body = received.slice(received.indexOf('\r\n\r\n') + 4).replace(/\r?\n?^[0-9a-f]+\r\n/gm, '');
  parser.feed(body.replaceAll('\n\n\r\n', '\n\n'));
  return events;
}

/** Engine.IO's long polling by hand. */
class Poller {
  private sid = '';

  constructor(
    private readonly user: TestUser,
    private readonly url: string,
  ) {}

  async open(conversationId: number): Promise<void> {
    const { sid } = JSON.parse((await (await this.poll()).text()).slice(1)) as { sid: string };
    this.sid = sid;
    await this.send(`40/chat,${JSON.stringify({ token: this.user.tokens.access_token })}`);
    await this.poll();
    await this.send(`42/chat,0["conversation.open",{"conversation_id":${conversationId}}]`);
    expect(await (await this.poll()).text()).toContain('"ok":true');
  }

  poll(): Promise<Response> {
    return fetch(this.address);
  }

  private async send(packet: string): Promise<void> {
    expect((await fetch(this.address, { method: 'POST', body: packet })).status).toBe(200);
  }

  private get address(): string {
    return `${this.url}/socket.io/?EIO=4&transport=polling${this.sid && `&sid=${this.sid}`}`;
  }
}
