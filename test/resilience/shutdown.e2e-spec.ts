/** Shutdown by SIGTERM, of the built server (`npm run build`). */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { isCompleted, isDelta } from '../support/clients/events.js';
import { within } from '../support/clients/event-log.js';
import type { Answer, Thing } from '../support/clients/http.js';
import { startTestNodes, type TestNode, type TestNodes } from '../support/app/process.js';
import { until } from '../support/infrastructure/until.js';
import { gate, reasoning, stall } from '../support/provider/provider.js';
import type { SocketClient } from '../support/clients/socket.js';
import type { SseReader } from '../support/clients/sse.js';
import type { ChatAnswer, TestUser } from '../support/app/user.js';
import type { WebSocketClient } from '../support/clients/websocket.js';

const GRACE_S = 2;

let t: TestNodes;

beforeAll(async () => {
  t = await startTestNodes();
});
afterAll(() => t.stop());

const SOCKET_IO = '/socket.io/?EIO=4&transport=websocket';
const draining = { status: 503, code: 'draining' };

/** Sends a handshake. @returns the problem in the response */
async function handshake(node: TestNode, path: string) {
  const key = { 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
  const headers = path.endsWith('polling') ? {} : { Connection: 'Upgrade', Upgrade: 'websocket', ...key };
  const [response] = await once(request(node.url + path, { headers }).end(), 'response');
  return { status: response.statusCode, headers: response.headers, body: (await json(response)) as Thing };
}

/** @returns total heartbeats of all nodes, including stopped ones */
async function beats(): Promise<number> {
  const [row] = await t.query<{ beats: string }>('SELECT SUM(beat) AS beats FROM nodes');
  return Number(row!.beats);
}

/** Resolves when the node logs its shutdown. */
const shutdownLogged = (node: TestNode) => node.process.log.until(({ msg }) => msg === 'Shutting down');

async function terminate(node: TestNode): Promise<void> {
  node.process.signal('SIGTERM');
  await shutdownLogged(node);
}

describe('a node that shuts down during replies', () => {
  let node: TestNode;
  let ada: TestUser;
  let lasting: Thing;
  let ending: Thing;
  let fresh: Thing;
  let socket: SocketClient;
  let ws: WebSocketClient;
  let other: WebSocketClient;
  let events: SseReader;
  let endless: SseReader;
  let whole: Promise<Answer<ChatAnswer>>;
  let leftAt: number;
  const held = gate();

  beforeAll(async () => {
    node = await t.start({ SHUTDOWN_GRACE_S: String(GRACE_S) });
    ada = await node.user().withConfig(t.provider).create();
    [ending, lasting] = [await ada.createConversation(), await ada.createConversation()];
    fresh = await ada.createConversation();
    other = ada.ws(fresh.id);
    await other.until(({ type }) => type === 'conversation.snapshot');
    socket = ada.socket();
    ws = ada.ws(ending.id);
    await socket.emit('conversation.open', { conversation_id: ending.id });
    await ws.until(({ type }) => type === 'conversation.snapshot');
    events = await ada.sse(`/conversations/${ending.id}/events`);
    t.provider.willStream('It ends ', held, 'in time.');
    whole = ada.send(ending.id, 'Does it end?');
    await Promise.all([events, ws, socket].map((client) => client.until(isDelta)));
    t.provider.willStream(reasoning('Hm. '), 'It does ', 'not end', stall());
    endless = await ada.sse(`/conversations/${lasting.id}/chat`, { content: 'Does this?' });
    await endless.until(({ text }) => String(text).endsWith('not end'));
    leftAt = Date.now();
    await terminate(node);
  });

  it('becomes unready at once, and stays live', async () => {
    const ready = await node.http.get('/health/ready');

    expect([ready.status, ready.body.code]).toEqual([503, 'draining']);
    expect((await node.http.get('/health/live')).status).toBe(200);
  });

  it('refuses new replies on every transport', async () => {
    const { id } = fresh;
    const json = await ada.send(id, 'Hi');
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' }).catch((error) => error.answer);

    expect(json).toMatchObject({ status: 503, body: draining });
    expect(sse).toMatchObject({ status: 503, body: draining });
    expect(Number(json.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect(Number(sse.headers.get('Retry-After'))).toBeGreaterThan(0);
    const send = { conversation_id: id, content: 'Hi' };
    expect(await socket.emit('chat.send', send)).toMatchObject({ ok: false, error: draining });
    expect(await other.request('chat.send', send)).toMatchObject({ ok: false, error: draining });
    expect(await ada.history(id)).toEqual([]);
  });

  it('refuses new sockets of each kind with a reason', async () => {
    const paths = ['/socket.io/?EIO=4&transport=polling', SOCKET_IO, `/conversations/ws/${fresh.id}`];
    for (const path of paths) {
      const answer = await handshake(node, path);
      expect(answer).toMatchObject({ status: 503, body: draining });
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      expect(answer.headers['x-request-id']).toBe(answer.body.request_id);
    }
  });

  it('completes a reply that ends within the grace period', async () => {
    held.open();

    const end = { message: { content: 'It ends in time.', status: 'complete' } };
    expect(await whole).toMatchObject({ status: 200, body: { assistant_message: end.message } });
    for (const client of [events, ws, socket]) expect(await client.until(isCompleted)).toMatchObject(end);
    expect(Date.now() - leftAt).toBeLessThan(GRACE_S * 1000);
  });

  it('interrupts a reply that outlasts the grace period, with all its text', async () => {
    expect(await endless.until(isCompleted)).toMatchObject({
      message: {
        content: 'It does not end',
        reasoning: 'Hm. ',
        status: 'interrupted',
        usage: { estimated: true },
      },
    });
    expect(Date.now() - leftAt).toBeGreaterThanOrEqual(GRACE_S * 1000);
  });

  it('disconnects clients so that they reconnect', async () => {
    expect(await socket.disconnected).toBe('transport close');
    expect(await ws.closed).toMatchObject({ code: 1012 });
    await Promise.all([events.ended, endless.ended]);
  });

  it('exits with 0', async () => {
    expect(await within(node.process.exited, 'The node did not exit')).toEqual({ code: 0, stderr: '' });
    expect(Date.now() - leftAt).toBeLessThan(GRACE_S * 1000 + 3000);
  });

  it('leaves complete data for the next node', async () => {
    const chunks = await t.query('SELECT * FROM reply_chunks');
    const next = await t.start();
    const here = next.welcome(ada);

    expect(chunks).toEqual([]);
    expect(await here.history(ending.id)).toMatchObject([
      {},
      { content: 'It ends in time.', status: 'complete' },
    ]);
    expect(await here.history(lasting.id)).toMatchObject([
      { content: 'Does this?' },
      { content: 'It does not end', reasoning: 'Hm. ', status: 'interrupted' },
    ]);
    expect((await here.send(lasting.id, 'And now?')).status).toBe(200);
    await next.close();
  });
});

describe('a node that shuts down, during the drain delay', () => {
  it('is unready, and still serves old and new clients', async () => {
    const node = await t.start({ SHUTDOWN_DELAY_S: '60' });
    const ada = await node.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();
    const [socket, ws] = [ada.socket(), ada.ws(id)];
    await Promise.all([socket.connected, ws.until(({ type }) => type === 'conversation.snapshot')]);
    await terminate(node);

    expect(await node.http.get('/health/ready')).toMatchObject({ status: 503, body: draining });
    expect((await node.http.get('/health/live')).status).toBe(200);
    const send = { conversation_id: id, content: 'Hi' };
    const clients = [socket, ada.socket(), ada.socket({ transports: ['polling'] })];
    for (const client of clients) {
      t.provider.willStream('Hello.');
      const events = await client.chat(id, 'Hi');
      expect(events.at(-1)).toMatchObject({ message: { content: 'Hello.', status: 'complete' } });
    }
    for (const client of [ws, ada.ws(id)]) {
      t.provider.willStream('Hello.');
      const { data } = await client.request('chat.send', send);
      const { id: replyId } = (data as { assistant_message: Thing }).assistant_message;
      await client.until((event) => isCompleted(event) && (event.message as Thing).id === replyId);
    }
    t.provider.willStream('Hello.');
    expect((await ada.send(id, 'Hi')).status).toBe(200);
    await node.kill();
  });

  it('listens until the delay is over, even if idle, then exits at once', async () => {
    const node = await t.start({ SHUTDOWN_DELAY_S: '1.5', SHUTDOWN_GRACE_S: '30' });
    await terminate(node);
    const leftAt = Date.now();
    let answeredAt = leftAt;
    const live = () => node.http.get('/health/live').then(() => (answeredAt = Date.now()));

    await until(() => live().then(() => false, () => true)); // prettier-ignore

    expect(answeredAt - leftAt).toBeGreaterThan(1000);
    expect(await within(node.process.exited, 'The node did not exit', 4000)).toMatchObject({ code: 0 });
  });
});

describe('a node that shuts down', () => {
  it('does not wait for keep-alive connections', async () => {
    const node = await t.start({ SHUTDOWN_GRACE_S: '30' });
    const agent = new Agent({ keepAlive: true });
    const [response] = await once(request(`${node.url}/health/live`, { agent }).end(), 'response');
    await once(response.resume(), 'end');

    await terminate(node);

    expect(await within(node.process.exited, 'The node did not exit', 3000)).toMatchObject({ code: 0 });
    agent.destroy();
  });

  it.each([
    ['replies in their grace period', { SHUTDOWN_GRACE_S: '30' }],
    ['the delay for load balancers', { SHUTDOWN_DELAY_S: '30' }],
  ])('exits at once on a second signal, while %s, but not on SIGHUP', async (_when, env) => {
    const node = await t.start(env);
    const ada = await node.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();
    t.provider.willStream('For ever', stall());
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await sse.until(isDelta);
    await terminate(node);
    node.process.signal('SIGHUP');
    expect((await node.http.get('/health/live')).status).toBe(200);

    node.process.signal('SIGINT');

    expect(await within(node.process.exited, 'The node did not exit', 1000)).toMatchObject({ code: 130 });
  });

  it('keeps ownership of its replies and stores them during the grace period', async () => {
    const node = await t.start({ SHUTDOWN_GRACE_S: '30' });
    const ada = await node.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();
    const held = gate();
    t.provider.willStream('Before ', held, 'after', stall());
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await sse.until(isDelta);
    await terminate(node);
    const before = await beats();

    held.open();

    await until(
      async () => (await t.query("SELECT 1 FROM reply_chunks WHERE text LIKE '%after'")).length === 1,
    );
    await until(async () => (await beats()) > before);
    await node.kill();
  });
});
