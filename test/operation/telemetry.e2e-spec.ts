/** OTLP export of the built server (`npm run build`). */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestNodes, type TestNode, type TestNodes } from '../support/app/process.js';
import type { TestUser } from '../support/app/user.js';
import { isCompleted } from '../support/clients/events.js';
import { KEY } from '../support/clients/configs.js';
import { snapshot } from '../support/clients/websocket.js';
import { OtlpReceiver } from '../support/infrastructure/otlp-receiver.js';
import { until } from '../support/infrastructure/until.js';

const WORDS = 'planted-words-of-the-user';
const ANSWER = 'planted-words-of-the-model';

let t: TestNodes;
let receiver: OtlpReceiver;
let node: TestNode;
let unhelpful: OtlpReceiver;
/** Exports to the unhelpful receiver. */
let other: TestNode;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestNodes();
  receiver = await new OtlpReceiver().start();
  node = await t.start({
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=parley',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test-room',
    OTEL_SERVICE_NAME: 'chat-of-the-test',
    OTEL_TRACES_SAMPLER: 'parentbased_always_on',
    OTEL_BSP_SCHEDULE_DELAY: '100',
    OTEL_METRIC_EXPORT_INTERVAL: '1000',
  });
  unhelpful = await new OtlpReceiver().start();
  other = await t.start({
    OTEL_EXPORTER_OTLP_ENDPOINT: unhelpful.url,
    OTEL_BSP_SCHEDULE_DELAY: '50',
    OTEL_METRIC_EXPORT_INTERVAL: '100',
  });
  ada = await node.user().withConfig(t.provider).create();
});
afterAll(async () => {
  await t.stop();
  receiver.stop();
  unhelpful.stop();
});

/** Sends by a transport and waits for the end of the reply. */
const SENDS: Record<string, (id: number) => Promise<unknown>> = {
  json: (id) => ada.send(id, WORDS),
  'server-sent events': async (id) =>
    (await ada.sse(`/conversations/${id}/messages`, { content: WORDS })).until(isCompleted),
  'Socket.IO': async (id) => {
    const socket = ada.socket();
    await socket.emit('chat.send', { conversation_id: id, content: WORDS });
    await socket.until(isCompleted);
  },
  WebSocket: async (id) => {
    const ws = ada.ws(id);
    await snapshot(ws);
    await ws.send({ type: 'chat.send', id: 1, content: WORDS });
    await ws.until(isCompleted);
  },
};
const ROOTS: Record<string, string> = {
  json: 'POST /conversations/:id/chat',
  'server-sent events': 'POST /conversations/:id/messages',
  'Socket.IO': 'chat.send',
  WebSocket: 'chat.send',
};

it.each(Object.keys(SENDS))(
  'traces a send by %s up to the provider and the end of the reply',
  async (name) => {
    const { id } = await ada.createConversation({ title: 'Fixed' });
    const before = t.provider.chats.length;
    t.provider.willStream(ANSWER);
    await SENDS[name]!(id as number);

    const { headers } = t.provider.chats[before]!;
    const [, traceId, parentId] = String(headers.traceparent).split('-');
    const spans = () => receiver.spans.filter((span) => span.traceId === traceId);
    await until(() => Promise.resolve(spans().some((span) => span.name === 'store reply')));
    await until(() => Promise.resolve(spans().some((span) => span.name === ROOTS[name])));

    const named = (wanted: RegExp | string) => spans().find((span) => span.name.match(wanted))!;
    const root = spans().find((span) => span.name === ROOTS[name])!;
    const chain = [named('^store turn'), named('^reply$')].map((span) => span.parentId);
    expect(chain).toEqual([root.spanId, root.spanId]);
    expect(named('^chat .').parentId).toBe(named('^reply$').spanId);
    expect(named('^store reply$').parentId).toBe(named('^reply$').spanId);
    expect(named('^POST$')).toMatchObject({ spanId: parentId, parentId: named('^chat .').spanId });
    const text = expect.stringMatching(/./);
    const conversation = { 'gen_ai.conversation.id': String(id) };
    expect(named('^store turn').attributes).toEqual({
      ...conversation,
      'db.system.name': text,
      'parley.turn.kind': 'send',
    });
    expect(named('^reply$').attributes).toEqual({
      ...conversation,
      'parley.message.id': expect.any(Number),
      'parley.reply.status': 'complete',
    });
    expect(named('^chat .').attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': text,
      'gen_ai.request.model': text,
      'gen_ai.usage.input_tokens': expect.any(Number),
      'gen_ai.usage.output_tokens': expect.any(Number),
    });
    expect(named('^POST$').attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.response.status_code': 200,
    });
    const ended = await node.process.log.until(
      (line) => line.msg === 'Reply ended' && line.conversation_id === id,
    );
    expect(ended.trace_id).toBe(traceId);
  },
);

it('continues the trace of traceparent, also in the request line', async () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  await fetch(`${node.url}/auth/me?secret=planted-query`, {
    headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01`, Authorization: 'Bearer planted-token' },
  });

  const line = await node.process.log.until(({ trace_id }) => trace_id === traceId);
  expect(line.msg).toBe('request');
  await until(() => Promise.resolve(receiver.spans.some((span) => span.parentId === 'b7ad6b7169203331')));
});

it('exports the series of /metrics, with the headers and resource of the environment', async () => {
  await until(() => Promise.resolve(receiver.text.includes('parley_replies_ended_total')));
  await until(() => Promise.resolve(receiver.text.includes('http_request_duration_seconds')));

  expect(receiver.bodies.every(({ headers }) => headers['x-tenant'] === 'parley')).toBe(true);
  for (const named of ['test-room', 'chat-of-the-test']) expect(receiver.text).toContain(named);
});

it('stops with a last export, and exports no text, key, email, token or query', async () => {
  await fetch(`${node.url}/health/version-of-nothing`);
  await ada.get('/conversations?limit=1');
  node.process.signal('SIGTERM');
  expect((await node.process.exited).code).toBe(0);

  expect(receiver.spans.some(({ name }) => name === 'GET /conversations')).toBe(true);
  expect(receiver.text).toContain('POST /conversations/:id/chat');
  for (const secret of [WORDS, ANSWER, KEY, ada.email, ada.username, 'planted-', ada.tokens!.access_token])
    expect(receiver.text).not.toContain(secret);
});

const UNHELPFUL: Record<string, OtlpReceiver['respond']> = {
  'resets connections': (response) => response.destroy(),
  refuses: (response) => response.writeHead(503, { 'Retry-After': '3600' }).end(),
  'answers nonsense': (response) => response.end('<!doctype html><p>Welcome'),
  'never answers': () => undefined,
};

it.each(Object.keys(UNHELPFUL))('replies while the collector %s', async (name) => {
  unhelpful.respond = UNHELPFUL[name]!;
  const exported = unhelpful.bodies.length;
  await until(() => Promise.resolve(unhelpful.bodies.length > exported));
  const eve = other.welcome(ada);
  const { id } = await eve.createConversation();
  const startedAt = performance.now();
  const { body } = await eve.send(id as number, 'Hi');

  expect(body.assistant_message).toMatchObject({ status: 'complete' });
  // A fraction of the exporter's timeout.
  expect(performance.now() - startedAt).toBeLessThan(3000);
});

it('stops within seconds while the collector never answers, after one warning', async () => {
  const startedAt = performance.now();
  other.process.signal('SIGTERM');

  expect((await other.process.exited).code).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(5000);
  expect(other.process.log.filter(({ context }) => context === 'Telemetry')).toEqual([
    expect.objectContaining({ level: 'warn', msg: expect.stringMatching(/^Telemetry export failed: /) }),
  ]);
});
