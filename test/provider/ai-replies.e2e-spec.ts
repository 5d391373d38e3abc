/** Replies of AiService: what is requested, how a stream is read. */
import { describe, expect, it } from '@jest/globals';
import {
  cut,
  endless,
  finish,
  gate,
  noDone,
  Piece,
  PlayedProvider,
  raw,
  reasoning,
  rst,
  stall,
  usage,
} from '../support/provider/provider.js';
import { HELLO } from '../support/provider/ai-reader.js';
import { KEY, data, delta, useAi } from '../support/provider/ai-setup.js';
import { DONE, FINISH } from '../support/provider/stream-cases.js';

const h = useAi();

describe('a provider’s reply', () => {
  it('is streamed completely, with finish reason and usage', async () => {
    const outcome = await h.read();

    expect(outcome).toMatchObject({
      content: 'Hello from the model.',
      finishReason: 'stop',
      usage: { promptTokens: 11, completionTokens: 7, totalTokens: 18 },
    });
    expect(outcome.error).toBeUndefined();
  });

  it('is yielded as it arrives', async () => {
    const hold = gate();
    h.played.willStream('Hel', hold, 'lo');
    const batches = h.ai.stream(h.provider(), HELLO, new AbortController().signal)[Symbol.asyncIterator]();

    expect((await batches.next()).value).toMatchObject({ content: 'Hel' });
    hold.open();
    expect((await batches.next()).value).toMatchObject({ content: 'lo' });
    await batches.return?.();
  });

  it('is requested with the configured model, messages and params, which override nothing else', async () => {
    const params = { temperature: 0.5, max_tokens: 9, n: 3, stream: false, model: 'other', messages: [] };

    await h.read(h.provider({ params: { ...params, stream_options: { include_usage: false } } }));

    const [request] = h.played.chats;
    expect(request?.body).toEqual({
      temperature: 0.5,
      max_tokens: 9,
      model: 'test-model',
      messages: HELLO,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('is requested with exactly these headers', async () => {
    await h.read();

    expect(h.played.chats[0]?.headers).toEqual({
      accept: 'application/json',
      'accept-encoding': 'identity',
      authorization: `Bearer ${KEY}`,
      connection: 'keep-alive',
      'content-length': String(Buffer.byteLength(JSON.stringify(h.played.chats[0]?.body))),
      'content-type': 'application/json',
      host: new URL(h.played.url).host,
      'user-agent': 'Parley',
    });
  });

  it('is requested without values of the environment', async () => {
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
      await h.read();
    } finally {
      process.env = before;
    }

    expect(JSON.stringify(h.played.chats[0]?.headers)).not.toContain('from-env');
    expect(trap.requests).toEqual([]);
    await trap.stop();
  });

  it('is requested without credentials if there is no key', async () => {
    await h.read(h.provider({ apiKey: '' }));

    expect(h.played.chats[0]?.headers.authorization).toBeUndefined();
  });

  it('separates reasoning from content, for both field names', async () => {
    const outcome = await h.ask(
      reasoning('Hm, '),
      raw(`${data({ choices: [{ delta: { reasoning: 'yes.' } }] })}\n\n`),
      'Yes',
    );

    expect(outcome).toMatchObject({ reasoning: 'Hm, yes.', content: 'Yes' });
  });

  it('is read from content parts', async () => {
    const parts = [{ type: 'text', text: 'a' }, { type: 'image' }, { type: 'text', text: 'b' }];

    expect(await h.ask(raw(`${data(delta(parts))}\n\n`))).toMatchObject({ content: 'ab', error: undefined });
  });

  it('yields the deltas of one read together', async () => {
    const many = Array.from({ length: 50 }, (_, i) => `${data(delta(`${i} `))}\n\n`).join('');

    const { batches } = await h.ask(raw(many));

    expect(batches.filter(({ content }) => content).length).toBeLessThan(5);
  });

  it('is read from 1-byte chunks', async () => {
    h.played.chunkBytes = 1;

    expect(await h.ask('Grüße, 世界 👩‍👩‍👧 ', 'שלום')).toMatchObject({
      content: 'Grüße, 世界 👩‍👩‍👧 שלום',
      finishReason: 'stop',
    });
  });

  it('leaves its connection open for the next request', async () => {
    for (let i = 0; i < 5; i++) {
      await h.read();
      await h.played.requests[i]?.closed;
    }

    expect(h.played.connections).toBeLessThan(5);
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
  ])('is read in spite of %s', async (_, bytes) => {
    expect(await h.ask('a', raw(bytes), 'b')).toMatchObject({
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
  ])('is read with %s', async (_, bytes) => {
    expect(await h.ask(raw(bytes), noDone())).toMatchObject({ content: 'ab', error: undefined });
  });

  it('contains U+FFFD for invalid UTF-8', async () => {
    const bytes = Buffer.concat([
      Buffer.from('data: {"choices":[{"delta":{"content":"a'),
      Buffer.from([0xff, 0, 0xc3]),
    ]);
    const outcome = await h.ask(raw(bytes), raw('b\\u0000\\ud800c"}}]}\n\n'));

    expect(outcome).toMatchObject({ content: 'a���b��c', error: undefined });
  });

  it('joins a surrogate pair split over two deltas', async () => {
    const hold = gate();
    const halves = ['\\ud83d', '\\ude00'].map((half) =>
      raw(`data: {"choices":[{"delta":{"content":"${half}"}}]}\n\n`),
    );
    h.played.willStream('a', halves[0]!, hold, halves[1]!, 'b');
    const outcome = h.read(undefined, undefined, undefined, hold.open);

    expect(await outcome).toMatchObject({ content: 'a😀b', error: undefined });
  });

  it('ends normally at a finish reason without [DONE]', async () => {
    expect(await h.ask('ab', finish('length'), noDone())).toMatchObject({
      content: 'ab',
      finishReason: 'length',
    });
    expect((await h.ask('ab', finish('stop'), cut())).error).toBeUndefined();
    expect((await h.ask('ab', finish('stop'), rst())).error).toBeUndefined();
  });

  it('ends soon after its finish reason', async () => {
    h.ai = h.makeAi({ upstreamIdleTimeoutSeconds: 60 });
    const start = Date.now();

    const outcome = await h.ask('ab', finish('stop'), stall());

    expect(outcome).toMatchObject({ content: 'ab', finishReason: 'stop', error: undefined });
    expect(Date.now() - start).toBeLessThan(5_000);
  });

  it('ends at [DONE], and closes a connection that the provider keeps open', async () => {
    const start = Date.now();
    expect(await h.ask('ab', raw('data: [DONE]\n\n'), stall())).toMatchObject({
      content: 'ab',
      error: undefined,
    });
    await h.played.chats[0]?.closed;
    expect(h.played.chats[0]?.finished).toBe(false);
    expect(Date.now() - start).toBeLessThan(5_000);
  });

  it('takes usage that follows the finish reason, unless it is invalid', async () => {
    const counted = await h.ask('a', finish('stop'), usage({ prompt_tokens: 1, completion_tokens: 2 }));
    const nonsense = await h.ask(
      'a',
      usage({ prompt_tokens: -1, completion_tokens: '2', total_tokens: 1e400 }),
    );

    expect(counted.usage).toEqual({ promptTokens: 1, completionTokens: 2, totalTokens: 3 });
    expect(nonsense.usage).toBeUndefined();
  });

  it('is read from a provider that does not stream', async () => {
    h.played.willAnswer(200, {
      choices: [
        { message: { role: 'assistant', content: 'All at once', reasoning: 'Hm' }, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    });

    expect(await h.read()).toMatchObject({
      content: 'All at once',
      reasoning: 'Hm',
      finishReason: 'stop',
      usage: { totalTokens: 3 },
      error: undefined,
    });
  });

  it('is requested without stream_options after they were rejected', async () => {
    const complaint = {
      error: { message: "Unrecognized request argument: 'stream_options'", type: 'invalid' },
    };
    h.played.willAnswer(400, complaint);

    expect(await h.read()).toMatchObject({
      content: 'Hello from the model.',
      usage: undefined,
      error: undefined,
    });
    await h.read();

    expect(h.played.chats.map(({ body }) => 'stream_options' in body)).toEqual([true, false, false]);
  });
});

describe('memory use is bounded', () => {
  it.each<[string, Piece, string, number]>([
    ['an endless reply', endless(`${data(delta('x'.repeat(8_000)))}\n\n`), 'upstream_bad_response', 20],
    ['an endless line', endless('x'.repeat(64 * 1024)), 'upstream_bad_response', 20],
    ['endless comments', endless(`: ${'x'.repeat(1_000)}\n\n`), 'upstream_timeout', 2],
  ])('for %s', async (_, piece, code, upstreamTotalTimeoutSeconds) => {
    h.ai = h.makeAi({ upstreamTotalTimeoutSeconds });
    const before = process.memoryUsage.rss();

    const { error, content } = await h.ask('Hel', piece);

    expect(error).toMatchObject({ code });
    expect(content.length).toBeLessThanOrEqual(10 * 1024 * 1024);
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 1024 * 1024);
    await h.played.chats[0]?.closed;
  });

  it('for a reply of more than 10 MiB, although its finish arrives with the last text', async () => {
    const text = (length: number) => `${data(delta('x'.repeat(length)))}\n\n`;
    const most = Array<Piece>(20).fill(raw(text(512 * 1024 - 1)));
    const fits = raw(text(20) + FINISH + DONE);
    const exceeds = raw(text(21) + FINISH + DONE);

    const whole = await h.ask(...most, fits);
    const cut = await h.ask(...most, exceeds);

    expect([whole.content.length, whole.error]).toEqual([10 * 1024 * 1024, undefined]);
    expect(cut.error).toMatchObject({ code: 'upstream_bad_response' });
    expect(cut.content.length).toBeGreaterThan(9 * 1024 * 1024);
  });

  it('for the endless body of an error', async () => {
    const server = await h.rawServer((socket) => {
      socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      const write = () => {
        while (socket.writable && socket.write('x'.repeat(64 * 1024)));
      };
      socket.on('drain', write);
      write();
    });

    expect((await h.read(h.provider({ modelUrl: server.url }))).error).toMatchObject({
      code: 'upstream_error',
    });
  });
});
