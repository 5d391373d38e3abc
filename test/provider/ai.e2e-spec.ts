import { once } from 'node:events';
import { AddressInfo, createServer, Server, Socket } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { request } from 'undici';
import { AiService } from '../../src/ai/ai.service.js';
import { EgressGuard } from '../../src/ai/egress/egress-guard.js';
import { ProviderError } from '../../src/ai/provider/provider.error.js';
import { ModelProvider, PromptMessage, CompletionBatch } from '../../src/ai/provider/provider.js';
import { type ResolveHost, resolveHost } from '../../src/ai/egress/resolve-host.js';
import { Settings } from '../../src/env/settings.js';
import {
  cut,
  endless,
  errorEvent,
  finish,
  gate,
  noDone,
  pause,
  Piece,
  PlayedProvider,
  raw,
  reasoning,
  rst,
  stall,
  usage,
} from '../support/provider/provider.js';

const KEY = 'test-key-0123456789abcdefghijklmnop';
const HELLO: PromptMessage[] = [{ role: 'user', content: 'Hi' }];
const UNREACHABLE = "The model's address is not allowed or could not be reached.";

const outbounds: EgressGuard[] = [];
const rawServers: Server[] = [];
let played: PlayedProvider;
let ai: AiService;

beforeEach(async () => {
  played = await PlayedProvider.start();
  ai = makeAi();
});

afterEach(async () => {
  for (const server of rawServers.splice(0)) server.close();
  await played.stop();
});
afterAll(() => Promise.all(outbounds.map((outbound) => outbound.onApplicationShutdown())));

function makeAi(changes: Partial<Settings> = {}, resolve: ResolveHost = resolveHost): AiService {
  const settings = {
    production: false,
    modelUrlAllowedHosts: [],
    loopbackModelsAllowed: true,
    upstreamFirstByteTimeoutSeconds: 0.4,
    upstreamIdleTimeoutSeconds: 0.4,
    upstreamTotalTimeoutSeconds: 20,
    ...changes,
  } as unknown as Settings;
  const outbound = new EgressGuard(settings, resolve);
  outbounds.push(outbound);
  return new AiService(settings, outbound);
}

function provider(changes: Partial<ModelProvider> = {}): ModelProvider {
  return { modelUrl: played.url, modelName: 'test-model', apiKey: KEY, ...changes };
}

interface Outcome {
  content: string;
  reasoning: string;
  batches: CompletionBatch[];
  finishReason: string | undefined;
  usage: CompletionBatch['usage'];
  error: ProviderError | undefined;
}

/** What a reader of the reply ends up with. */
async function read(
  from = provider(),
  service = ai,
  signal = new AbortController().signal,
): Promise<Outcome> {
  const outcome: Outcome = {
    content: '',
    reasoning: '',
    batches: [],
    finishReason: undefined,
    usage: undefined,
    error: undefined,
  };
  try {
    for await (const batch of service.stream(from, HELLO, signal)) {
      outcome.batches.push(batch);
      outcome.content += batch.content;
      outcome.reasoning += batch.reasoning;
      outcome.finishReason = batch.finishReason ?? outcome.finishReason;
      outcome.usage = batch.usage ?? outcome.usage;
    }
  } catch (error) {
    outcome.error = error as ProviderError;
  }
  return outcome;
}

function ask(...script: Piece[]): Promise<Outcome> {
  played.willStream(...script);
  return read();
}

/** A server that speaks bytes made by hand, given the socket once a request has come. */
async function rawServer(onRequest: (socket: Socket) => void): Promise<Server & { url: string }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => onRequest(socket));
  });
  rawServers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return Object.assign(server, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` });
}

const data = (value: unknown) => `data: ${JSON.stringify(value)}`;
const delta = (content: unknown) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });

describe('a reply', () => {
  it('is streamed whole, with its finish reason and usage', async () => {
    const outcome = await read();

    expect(outcome).toMatchObject({
      content: 'Hello from the model.',
      finishReason: 'stop',
      usage: { promptTokens: 11, completionTokens: 7, totalTokens: 18 },
    });
    expect(outcome.error).toBeUndefined();
  });

  it('arrives as it is written', async () => {
    const hold = gate();
    played.willStream('Hel', hold, 'lo');
    const batches = ai.stream(provider(), HELLO, new AbortController().signal)[Symbol.asyncIterator]();

    expect((await batches.next()).value).toMatchObject({ content: 'Hel' });
    hold.open();
    expect((await batches.next()).value).toMatchObject({ content: 'lo' });
    await batches.return?.();
  });

  it('asks with our model, messages and params, and nothing that they could override', async () => {
    const params = { temperature: 0.5, max_tokens: 9, n: 3, stream: false, model: 'other', messages: [] };

    await read(provider({ params: { ...params, stream_options: { include_usage: false } } }));

    const [request] = played.chats;
    expect(request?.body).toEqual({
      temperature: 0.5,
      max_tokens: 9,
      model: 'test-model',
      messages: HELLO,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('sends these headers and no others', async () => {
    await read();

    expect(played.chats[0]?.headers).toEqual({
      accept: 'application/json',
      'accept-encoding': 'identity',
      authorization: `Bearer ${KEY}`,
      connection: 'keep-alive',
      'content-length': String(Buffer.byteLength(JSON.stringify(played.chats[0]?.body))),
      'content-type': 'application/json',
      host: new URL(played.url).host,
      'user-agent': 'Parley',
    });
  });

  it('takes nothing from the environment', async () => {
    const trap = await PlayedProvider.start();
    const before = { ...process.env };
    Object.assign(process.env, {
      OPENAI_BASE_URL: trap.url,
      OPENAI_API_KEY: 'from-env',
      OPENAI_ADMIN_KEY: 'from-env',
      OPENAI_ORG_ID: 'from-env',
      OPENAI_PROJECT_ID: 'from-env',
      OPENAI_CUSTOM_HEADERS: 'Authorization: from-env\nX-Secret: from-env',
      HTTP_PROXY: trap.url,
      http_proxy: trap.url,
      NODE_USE_ENV_PROXY: '1',
    });
    try {
      await read();
    } finally {
      process.env = before;
    }

    expect(JSON.stringify(played.chats[0]?.headers)).not.toContain('from-env');
    expect(trap.requests).toEqual([]);
    await trap.stop();
  });

  it('is sent without credentials where there is no key', async () => {
    await read(provider({ apiKey: '' }));

    expect(played.chats[0]?.headers.authorization).toBeUndefined();
  });

  it('gives reasoning apart from the content, under either name', async () => {
    const outcome = await ask(
      reasoning('Hm, '),
      raw(`${data({ choices: [{ delta: { reasoning: 'yes.' } }] })}\n\n`),
      'Yes',
    );

    expect(outcome).toMatchObject({ reasoning: 'Hm, yes.', content: 'Yes' });
  });

  it('accepts content in parts', async () => {
    const parts = [{ type: 'text', text: 'a' }, { type: 'image' }, { type: 'text', text: 'b' }];

    expect(await ask(raw(`${data(delta(parts))}\n\n`))).toMatchObject({ content: 'ab', error: undefined });
  });

  it('passes on together what arrives together', async () => {
    const many = Array.from({ length: 50 }, (_, i) => `${data(delta(`${i} `))}\n\n`).join('');

    const { batches } = await ask(raw(many));

    expect(batches.filter(({ content }) => content).length).toBeLessThan(5);
  });

  it('comes through in 1-byte chunks', async () => {
    played.chunkBytes = 1;

    expect(await ask('Grüße, 世界 👩‍👩‍👧 ', 'שלום')).toMatchObject({
      content: 'Grüße, 世界 👩‍👩‍👧 שלום',
      finishReason: 'stop',
    });
  });

  it('uses its connection again for the next', async () => {
    for (let i = 0; i < 5; i++) {
      await read();
      await played.requests[i]?.closed;
    }

    expect(played.connections).toBeLessThan(5);
  });

  it.each([
    [
      'null deltas',
      'data: {"choices":[{"delta":null}]}\n\ndata: {"choices":[{"delta":{"content":null}}]}\n\n',
    ],
    [
      'no choices',
      'data: {}\n\ndata: {"choices":null}\n\ndata: {"choices":[]}\n\ndata: {"choices":[null]}\n\n',
    ],
    ['comments', ': keep-alive\n\n:\n\n'],
    ['unknown events', 'event: ping\ndata: {"type":"ping"}\n\nid: 4\nretry: 10\n\n'],
    ['a null error', 'data: {"error":null,"choices":[]}\n\n'],
    ['empty lines', '\n\n\r\n\r\n'],
  ])('is not troubled by %s', async (_, bytes) => {
    expect(await ask('a', raw(bytes), 'b')).toMatchObject({
      content: 'ab',
      finishReason: 'stop',
      error: undefined,
    });
  });

  it.each([
    ['CRLF', `${data(delta('a'))}\r\n\r\n${data(delta('b'))}\r\n\r\ndata: [DONE]\r\n\r\n`],
    ['CR', `${data(delta('a'))}\r\r${data(delta('b'))}\r\rdata: [DONE]\r\r`],
    ['a byte order mark', `\ufeff${data(delta('a'))}\n\n${data(delta('b'))}\n\ndata: [DONE]\n\n`],
    ['no space after the colon', `data:${JSON.stringify(delta('ab'))}\n\ndata:[DONE]\n\n`],
    ['no blank line at the end', `${data(delta('ab'))}\n\ndata: [DONE]`],
    [
      'data after [DONE]',
      `${data(delta('ab'))}\n\ndata: [DONE]\n\n${data(delta('c'))}\n\ndata: nonsense\n\n`,
    ],
  ])('is understood with %s', async (_, bytes) => {
    expect(await ask(raw(bytes), noDone())).toMatchObject({ content: 'ab', error: undefined });
  });

  it('has U+FFFD for what is no text', async () => {
    const bytes = Buffer.concat([
      Buffer.from('data: {"choices":[{"delta":{"content":"a'),
      Buffer.from([0xff, 0, 0xc3]),
    ]);
    const outcome = await ask(raw(bytes), raw('b\\u0000\\ud800c"}}]}\n\n'));

    expect(outcome).toMatchObject({ content: 'a���b��c', error: undefined });
  });

  it('joins a surrogate pair that was split over two deltas', async () => {
    const hold = gate();
    const halves = ['\\ud83d', '\\ude00'].map((half) =>
      raw(`data: {"choices":[{"delta":{"content":"${half}"}}]}\n\n`),
    );
    played.willStream('a', halves[0]!, hold, halves[1]!, 'b');
    setTimeout(hold.open, 50);

    expect(await read()).toMatchObject({ content: 'a😀b', error: undefined });
  });

  it('ends normally at a finish reason, without [DONE]', async () => {
    expect(await ask('ab', finish('length'), noDone())).toMatchObject({
      content: 'ab',
      finishReason: 'length',
    });
    expect((await ask('ab', finish('stop'), cut())).error).toBeUndefined();
    expect((await ask('ab', finish('stop'), rst())).error).toBeUndefined();
  });

  it('does not wait for long once it has its finish reason', async () => {
    ai = makeAi({ upstreamIdleTimeoutSeconds: 60 });
    const start = Date.now();

    const outcome = await ask('ab', finish('stop'), stall());

    expect(outcome).toMatchObject({ content: 'ab', finishReason: 'stop', error: undefined });
    expect(Date.now() - start).toBeLessThan(5_000);
  });

  it('ends at [DONE], and lets go of a provider that does not hang up', async () => {
    const start = Date.now();
    expect(await ask('ab', raw('data: [DONE]\n\n'), stall())).toMatchObject({
      content: 'ab',
      error: undefined,
    });
    await played.chats[0]?.closed;
    expect(played.chats[0]?.finished).toBe(false);
    expect(Date.now() - start).toBeLessThan(5_000);
  });

  it('has the usage that comes after the finish reason, or none that is nonsense', async () => {
    const counted = await ask('a', finish('stop'), usage({ prompt_tokens: 1, completion_tokens: 2 }));
    const nonsense = await ask(
      'a',
      usage({ prompt_tokens: -1, completion_tokens: '2', total_tokens: 1e400 }),
    );

    expect(counted.usage).toEqual({ promptTokens: 1, completionTokens: 2, totalTokens: 3 });
    expect(nonsense.usage).toBeUndefined();
  });

  it('is taken whole from a provider that does not stream', async () => {
    played.willAnswer(200, {
      choices: [
        { message: { role: 'assistant', content: 'All at once', reasoning: 'Hm' }, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    });

    expect(await read()).toMatchObject({
      content: 'All at once',
      reasoning: 'Hm',
      finishReason: 'stop',
      usage: { totalTokens: 3 },
      error: undefined,
    });
  });

  it('is asked for without stream_options where they are rejected, from then on', async () => {
    const complaint = {
      error: { message: "Unrecognized request argument: 'stream_options'", type: 'invalid' },
    };
    played.willAnswer(400, complaint);

    expect(await read()).toMatchObject({
      content: 'Hello from the model.',
      usage: undefined,
      error: undefined,
    });
    await read();

    expect(played.chats.map(({ body }) => 'stream_options' in body)).toEqual([true, false, false]);
  });
});

describe('a fault', () => {
  it.each<[number, string]>([
    [401, 'upstream_auth'],
    [402, 'upstream_error'],
    [403, 'upstream_auth'],
    [404, 'upstream_error'],
    [413, 'upstream_error'],
  ])('with status %i is %s, in the words of the provider, and is not asked again', async (status, code) => {
    played.willAnswer(status, { error: { message: 'No such\nluck' } });

    const { error } = await read();

    expect(error).toBeInstanceOf(ProviderError);
    expect(error).toMatchObject({ code, detail: 'No such luck' });
    expect(played.chats).toHaveLength(1);
  });

  it.each<[string | object, string]>([
    [{ detail: 'Gone fishing' }, 'Gone fishing'],
    [{ message: 'Gone fishing' }, 'Gone fishing'],
    [{ error: 'Gone fishing' }, 'Gone fishing'],
    [{ detail: [{ msg: 'bad' }] }, 'bad'],
    ['Gone fishing', 'Gone fishing'],
    ['<html><body>Oh no</body></html>', 'The provider answered with status 404.'],
    ['', 'The provider answered with status 404.'],
    [{}, 'The provider answered with status 404.'],
  ])('whose body is %j says %j', async (body, detail) => {
    played.willAnswer(404, body);

    expect((await read()).error?.detail).toBe(detail);
  });

  it.each([500, 503])('with status %i is asked again', async (status) => {
    played.willAnswer(status, 'Not now');

    expect(await read()).toMatchObject({ content: 'Hello from the model.', error: undefined });
    expect(played.chats).toHaveLength(2);
  });

  it('is given up on after the third try, each later than the last', async () => {
    const times: number[] = [];
    played.onRequest = () => void times.push(Date.now());
    for (let i = 0; i < 4; i++) played.willAnswer(500, { error: { message: 'Oops' } });

    expect((await read()).error).toMatchObject({ code: 'upstream_error', detail: 'Oops' });
    expect(times).toHaveLength(3);
    expect(times[1]! - times[0]!).toBeGreaterThan(300);
    expect(times[2]! - times[1]!).toBeGreaterThan(600);
  });

  it('with status 429 waits as long as it is told to, and asks again', async () => {
    const start = Date.now();
    played.willAnswer(429, 'Slow down', { 'Retry-After': '1' });

    expect((await read()).error).toBeUndefined();
    expect(Date.now() - start).toBeGreaterThan(950);
  });

  it('with status 429 for long is told at once, with how long', async () => {
    played.willAnswer(429, { error: { message: 'Slow down' } }, { 'Retry-After': '120' });

    const { error } = await read();

    expect(error).toMatchObject({
      code: 'upstream_rate_limited',
      detail: 'Slow down. Try again in 120 seconds (about 2 minutes).',
      retryAfterSeconds: 120,
    });
    expect(played.chats).toHaveLength(1);
  });

  it('with status 429 and a date for Retry-After has the seconds until then', async () => {
    played.willAnswer(429, '', { 'Retry-After': new Date(Date.now() + 60_000).toUTCString() });

    expect((await read()).error?.retryAfterSeconds).toBeGreaterThan(57);
  });

  it('with status 429 and no Retry-After is rate limiting after three tries', async () => {
    for (let i = 0; i < 3; i++) played.willAnswer(429, '');

    expect((await read()).error).toMatchObject({
      code: 'upstream_rate_limited',
      retryAfterSeconds: undefined,
    });
    expect(played.chats).toHaveLength(3);
  });

  it('is unreachable where nobody listens', async () => {
    const from = provider();
    await played.stop();

    expect((await read(from)).error).toMatchObject({
      code: 'upstream_unreachable',
      detail: UNREACHABLE,
    });
  });

  it('is unreachable where the connection is reset before the answer, after three tries', async () => {
    played.willReset().willReset().willReset();

    expect((await read()).error).toMatchObject({ code: 'upstream_unreachable', detail: UNREACHABLE });
    expect(played.chats).toHaveLength(3);
  });

  it('before the first token is forgotten once it works', async () => {
    played.willReset().willStream(rst());

    expect(await read()).toMatchObject({ content: 'Hello from the model.', error: undefined });
  });

  it('after the first token is never asked again', async () => {
    expect(await ask('Hel', rst())).toMatchObject({
      content: 'Hel',
      error: { code: 'upstream_unreachable' },
    });
    expect(played.chats).toHaveLength(1);
  });

  it('is unreachable for a name that does not resolve', async () => {
    ai = makeAi({}, () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })));

    const { error } = await read(provider({ modelUrl: 'http://nowhere.test/v1' }));

    expect(error).toMatchObject({ code: 'upstream_unreachable', detail: UNREACHABLE });
  });

  it.each<[string, () => unknown]>([
    ['the headers never come', () => played.willHang()],
    ['the first byte never comes', () => played.willStream(stall())],
  ])('is a time-out where %s', async (_, play) => {
    play();

    expect((await read()).error).toMatchObject({ code: 'upstream_timeout' });
    await played.chats[0]?.closed;
    expect(played.chats).toHaveLength(1);
  });

  it('is a time-out where the body of an error never ends', async () => {
    const { url } = await rawServer((socket) =>
      socket.write('HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nOops'),
    );

    expect((await read(provider({ modelUrl: url }))).error).toMatchObject({ code: 'upstream_timeout' });
  });

  it('is a time-out where the provider stalls, with the text so far', async () => {
    expect(await ask('Hel', stall())).toMatchObject({ content: 'Hel', error: { code: 'upstream_timeout' } });
    await played.chats[0]?.closed;
  });

  it('is no time-out while comments come, until the total time is over', async () => {
    ai = makeAi({ upstreamTotalTimeoutSeconds: 1.5 });
    const comments = Array.from({ length: 40 }, () => [pause(100), raw(': still here\n\n')]).flat();

    const start = Date.now();
    const { error, content } = await ask('Hel', ...comments);

    expect(error).toMatchObject({ code: 'upstream_timeout' });
    expect(content).toBe('Hel');
    expect(Date.now() - start).toBeGreaterThan(1_400);
  });

  it('is no time-out while the reader of the reply takes its time', async () => {
    const hold = gate();
    played.willStream('Hel', hold, 'lo');
    let content = '';
    for await (const batch of ai.stream(provider(), HELLO, new AbortController().signal)) {
      content += batch.content;
      if (content === 'Hel') await new Promise((resolve) => setTimeout(resolve, 600));
      hold.open();
    }

    expect(content).toBe('Hello');
  });

  it.each<[string, Piece[]]>([
    ['a cut connection', [cut()]],
    ['a cut in the middle of a line', [raw('data: {"choices":[{"del'), cut()]],
    ['an end in the middle of a line', [raw('data: {"choices":[{"del'), noDone()]],
    ['a line of 64 MiB', [raw('data: '), ...Array<Piece>(64).fill(raw('x'.repeat(1024 * 1024)))]],
    ['an event without end', [endless('data: x\n')]],
  ])('is a bad response after %s, with the text so far', async (_, pieces) => {
    const outcome = await ask('Hel', ...pieces);

    expect(outcome).toMatchObject({ content: 'Hel', error: { code: 'upstream_bad_response' } });
    expect(played.chats).toHaveLength(1);
  });

  it.each<[string, string | object]>([
    ['a page', '<!doctype html><title>Welcome</title>'],
    ['JSON that is no completion', { hello: 'world' }],
    ['JSON with no choices', { choices: [] }],
    ['JSON that is broken', '{"choices": [{'],
    ['text', 'Hello'],
  ])('is a bad response where the answer is %s', async (_, body) => {
    played.willAnswer(200, body);

    expect(await read()).toMatchObject({ content: '', error: { code: 'upstream_bad_response' } });
  });

  it('is a bad response where the answer is a redirect, which is not followed', async () => {
    const sink = await PlayedProvider.start();
    played.willAnswer(307, '', { Location: `${sink.url}/chat/completions` });

    expect((await read()).error).toMatchObject({ code: 'upstream_bad_response' });
    expect(sink.requests).toEqual([]);
    await sink.stop();
  });

  it.each<[string, string]>([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['headers of 100 KiB', `HTTP/1.1 200 OK\r\nX-Big: ${'x'.repeat(100 * 1024)}\r\n\r\n`],
    ['a chunk of no length', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a body that is too short', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndata: x'],
  ])('is a bad response where the answer is %s', async (_, bytes) => {
    const server = await rawServer((socket) => socket.end(bytes));

    expect((await read(provider({ modelUrl: server.url }))).error).toMatchObject({
      code: 'upstream_bad_response',
    });
  });

  it('reported in the stream has the words of the provider', async () => {
    const data = await ask('Hel', errorEvent({ message: 'Overloaded', type: 'server_error' }), 'lo');
    const named = await ask('Hel', raw('event: error\ndata: {"message":"Overloaded"}\n\n'));
    const plain = await ask('Hel', raw('event: error\ndata: Overloaded\n\n'));

    for (const outcome of [data, named, plain]) {
      expect(outcome).toMatchObject({
        content: 'Hel',
        error: { code: 'upstream_error', detail: 'Overloaded' },
      });
    }
  });

  it('reported as JSON with status 200 is no bad response, but an error', async () => {
    played.willAnswer(200, { error: { message: 'Overloaded' } });

    expect((await read()).error).toMatchObject({ code: 'upstream_error', detail: 'Overloaded' });
  });

  it('is a content filter where the provider calls it one', async () => {
    const filtered = { message: 'Held back', code: 'content_filter' };
    played.willAnswer(400, { error: filtered });

    expect((await read()).error).toMatchObject({ code: 'content_filtered', detail: 'Held back' });
    expect((await ask('Hel', errorEvent(filtered))).error).toMatchObject({ code: 'content_filtered' });
  });

  it('is a content filter where that is the finish reason, after the text', async () => {
    const outcome = await ask('Hel', finish('content_filter'));

    expect(outcome).toMatchObject({
      content: 'Hel',
      finishReason: 'content_filter',
      error: { code: 'content_filtered' },
    });
  });

  it('masks the key, however it is echoed', async () => {
    const echoes = [
      `Incorrect key ${KEY}`,
      `Incorrect key ${encodeURIComponent(KEY).replace(/-/g, '%2D')}`,
      `Incorrect key ${KEY.slice(0, 9)}…${KEY.slice(-8)}`,
      `Incorrect header Authorization: Bearer something-else`,
      `Incorrect key sk-proj-abcdefgh12345`,
    ];
    for (const echo of echoes) {
      played.willAnswer(401, { error: { message: echo } });
      const { detail } = (await read()).error!;
      expect(detail).toMatch(/^Incorrect/);
      expect(detail).toContain('***');
      expect(detail).not.toMatch(/test-key|012345|ijklmnop|something-else|abcdefgh/);
    }
  });

  it('says no more than 500 characters', async () => {
    played.willAnswer(404, { error: { message: 'x'.repeat(100_000) } });

    expect((await read()).error?.detail.length).toBeLessThanOrEqual(500);
  });

  it('does not show a key that cannot be sent', async () => {
    const { error } = await read(provider({ apiKey: 'schlüssel-钥匙' }));

    expect(error).toMatchObject({ code: 'upstream_auth' });
    expect(error?.detail).not.toContain('钥匙');
  });
});

describe('memory stays bounded', () => {
  it.each<[string, Piece, string]>([
    ['an endless reply', endless(`${data(delta('x'.repeat(8_000)))}\n\n`), 'upstream_bad_response'],
    ['an endless line', endless('x'.repeat(64 * 1024)), 'upstream_bad_response'],
    ['endless comments', endless(`: ${'x'.repeat(1_000)}\n\n`), 'upstream_timeout'],
  ])('through %s', async (_, piece, code) => {
    ai = makeAi({ upstreamTotalTimeoutSeconds: 2 });
    const before = process.memoryUsage.rss();

    const { error, content } = await ask('Hel', piece);

    expect(error).toMatchObject({ code });
    expect(content.length).toBeLessThanOrEqual(10 * 1024 * 1024);
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 1024 * 1024);
    await played.chats[0]?.closed;
  });

  it('through the endless body of an error', async () => {
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      const write = () => {
        while (socket.writable && socket.write('x'.repeat(64 * 1024)));
      };
      socket.on('drain', write);
      write();
    });

    expect((await read(provider({ modelUrl: server.url }))).error).toMatchObject({ code: 'upstream_error' });
  });
});

describe('letting go', () => {
  it('throws the reason of the signal, and closes the connection', async () => {
    const stopped = new AbortController();
    const reason = new Error('stopped');
    played.willStream('Hel', stall());
    const outcome = read(provider(), ai, stopped.signal);
    await played.waitForRequests(1);
    setTimeout(() => stopped.abort(reason), 100);

    expect(await outcome).toMatchObject({ content: 'Hel', error: reason });
    await played.chats[0]?.closed;
    expect(played.chats[0]?.closedAt).toBeDefined();
  });

  it('asks nothing once the signal has been aborted', async () => {
    const { error } = await read(provider(), ai, AbortSignal.abort(new Error('early')));

    expect(error?.message).toBe('early');
    expect(played.requests).toEqual([]);
  });

  it('ends the wait for the next try', async () => {
    const stopped = new AbortController();
    played.willAnswer(429, '', { 'Retry-After': '9' });
    const outcome = read(provider(), ai, stopped.signal);
    await played.waitForRequests(1);
    await played.chats[0]?.closed;
    stopped.abort(new Error('stopped'));

    expect((await outcome).error?.message).toBe('stopped');
    expect(played.chats).toHaveLength(1);
  });

  it('closes the connection when the reader leaves the loop', async () => {
    played.willStream('Hel', stall());
    for await (const { content } of ai.stream(provider(), HELLO, new AbortController().signal)) {
      expect(content).toBe('Hel');
      break;
    }

    await played.chats[0]?.closed;
    expect(played.chats[0]?.closedAt).toBeDefined();
  });

  it('closes the connection when the iterator is closed while it waits', async () => {
    ai = makeAi({ upstreamIdleTimeoutSeconds: 60 });
    played.willStream('Hel', stall());
    const batches = ai.stream(provider(), HELLO, new AbortController().signal)[Symbol.asyncIterator]();
    await batches.next();
    const pending = batches.next();
    await batches.return?.();

    expect(await pending).toEqual({ done: true, value: undefined });
    await played.chats[0]?.closed;
    expect(played.chats[0]?.closedAt).toBeDefined();
  });
});

describe('addresses', () => {
  const resolveTo =
    (...addresses: string[]): ResolveHost =>
    () =>
      Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));

  it.each([
    'http://127.0.0.1:PORT/v1',
    'http://127.1:PORT/v1',
    'http://2130706433:PORT/v1',
    'http://0x7f.1:PORT/v1',
    'http://0177.0.0.1:PORT/v1',
    'http://127.0.0.1.:PORT/v1',
    'http://１２７.０.０.１:PORT/v1',
    'http://[::ffff:7f00:1]:PORT/v1',
    'http://[::1]:PORT/v1',
    'http://0:PORT/v1',
    'http://localhost:PORT/v1',
    'http://localhost.:PORT/v1',
    'http://inside.test:PORT/v1',
    'http://mixed.test:PORT/v1',
    'http://user:pass@inside.test:PORT/v1',
    'file:///etc/passwd',
    'nonsense',
  ])('%s is not reached', async (template) => {
    const resolve: ResolveHost = (hostname) =>
      resolveTo(...(hostname === 'mixed.test' ? ['8.8.8.8', '127.0.0.1'] : ['127.0.0.1']))(hostname, false);
    ai = makeAi({ loopbackModelsAllowed: false }, resolve);

    const { error } = await read(provider({ modelUrl: template.replace('PORT', String(played.port)) }));

    expect(error).toMatchObject({ code: 'upstream_unreachable', detail: UNREACHABLE });
    expect(played.connections).toBe(0);
  });

  it('are not even looked up in production for a URL that is stored with http', async () => {
    const lookedUp: string[] = [];
    const resolve: ResolveHost = (hostname) => {
      lookedUp.push(hostname);
      return resolveTo('127.0.0.1')(hostname, false);
    };
    ai = makeAi({ production: true, loopbackModelsAllowed: true }, resolve);
    const stored = provider({ modelUrl: `http://provider.test:${played.port}/v1` });

    expect((await read(stored)).error).toMatchObject({ code: 'upstream_unreachable' });
    await expect(ai.listModels(stored)).rejects.toMatchObject({ code: 'upstream_unreachable' });
    expect([lookedUp, played.connections]).toEqual([[], 0]);
  });

  it('are checked at each connection, whatever the name resolved to before', async () => {
    let calls = 0;
    ai = makeAi({ loopbackModelsAllowed: false, upstreamFirstByteTimeoutSeconds: 0.05 }, () =>
      // 203.0.113.0/24 is for documentation: refused too, so that nothing leaves this machine.
      resolveTo(calls++ % 2 ? '127.0.0.1' : '203.0.113.1')('', false),
    );

    for (let i = 0; i < 20; i++) {
      expect(
        (await read(provider({ modelUrl: `http://rebinding.test:${played.port}/v1` }))).error,
      ).toMatchObject({
        code: 'upstream_unreachable',
      });
    }
    expect(calls).toBe(20);
    expect(played.connections).toBe(0);
  });

  it('are excepted by host, or by host and port, as the URL has them', async () => {
    const url = `http://inside.test:${played.port}/v1`;
    const byHost = makeAi(
      { loopbackModelsAllowed: false, modelUrlAllowedHosts: ['inside.test'] },
      resolveTo('127.0.0.1'),
    );
    const hostAndPort = [`inside.test:${played.port}`];
    const byPort = makeAi(
      { loopbackModelsAllowed: false, modelUrlAllowedHosts: hostAndPort },
      resolveTo('127.0.0.1'),
    );
    const other = makeAi(
      { loopbackModelsAllowed: false, modelUrlAllowedHosts: ['inside.test:1'] },
      resolveTo('127.0.0.1'),
    );

    expect((await read(provider({ modelUrl: url }), byHost)).error).toBeUndefined();
    expect((await read(provider({ modelUrl: url }), byPort)).error).toBeUndefined();
    expect((await read(provider({ modelUrl: url }), other)).error).toMatchObject({
      code: 'upstream_unreachable',
    });
  });

  it('of our own model are trusted, without opening the way for others', async () => {
    ai = makeAi({ loopbackModelsAllowed: false });

    expect((await read(provider({ trusted: true }))).error).toBeUndefined();
    expect((await read()).error).toMatchObject({ code: 'upstream_unreachable' });
    expect(played.requests).toHaveLength(1);
  });
});

it.each(['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]'])(
  'literal %s is refused at the moment of connecting',
  async (host) => {
    const settings = {
      modelUrlAllowedHosts: [] as string[],
      loopbackModelsAllowed: false,
    } as unknown as Settings;
    const outbound = new EgressGuard(settings, resolveHost);
    outbounds.push(outbound);
    const url = `http://${host}:${played.port}/v1/models`;

    await expect(request(url, { dispatcher: await outbound.dispatcher() })).rejects.toMatchObject({
      code: 'EREFUSED',
    });
    expect(played.connections).toBe(0);
  },
);

describe('listModels', () => {
  it('gives the ids of the provider', async () => {
    played.models = ['b', 'a', 'b'];

    expect(await ai.listModels(provider())).toEqual(['b', 'a']);
    expect(played.requests[0]).toMatchObject({ method: 'GET', path: '/v1/models' });
    expect(played.requests[0]?.headers).not.toHaveProperty('content-type');
  });

  it('throws a ProviderError', async () => {
    await expect(ai.listModels(provider({ modelUrl: `${played.url}/nowhere` }))).rejects.toMatchObject({
      code: 'upstream_error',
      detail: 'Unknown path /v1/nowhere/models',
    });
  });
});

describe('test', () => {
  it('asks for a real completion, and leaves soon after the first sign of life', async () => {
    played.willStream('Hel', stall());

    expect(await ai.test(provider())).toEqual({
      ok: true,
      latencyMs: expect.any(Number),
      model: 'test-model',
    });
    await played.chats[0]?.closed;
    expect(played.chats[0]?.closedAt).toBeDefined();
  });

  it('reports what failed, at the first try', async () => {
    played.willAnswer(500, { error: { message: `Broken for ${KEY}` } });

    expect(await ai.test(provider())).toMatchObject({
      ok: false,
      error: { code: 'upstream_error', detail: 'Broken for ***' },
    });
    expect(played.chats).toHaveLength(1);
  });
});
