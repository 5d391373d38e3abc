/** Responses of other providers: whole completions, encodings and interim responses. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import {
  type BrotliCompress,
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  deflateRawSync,
  deflateSync,
  type Gzip,
  gzipSync,
} from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { noDone, raw } from '../support/provider/provider.js';
import {
  type Expected,
  choice,
  delta,
  DONE,
  empty,
  failed,
  FINISH,
  text,
  useReaders,
} from '../support/provider/stream-cases.js';

const p = useReaders();

const A = 'https://a.example/';

describe('a whole completion', () => {
  const completion = (message: object, more: object = {}) => ({
    choices: [{ index: 0, message, finish_reason: 'stop' }],
    ...more,
  });

  it.each<[string, object | string, Expected]>([
    [
      'with a thinking tag',
      completion({ content: '<think>Hm</think>\n\nAnswer' }),
      { reasoning: 'Hm', content: 'Answer', finishReason: 'stop' },
    ],
    [
      'with a closing tag alone',
      completion({ content: 'Hm</think>Answer' }),
      { reasoning: 'Hm', content: 'Answer', restarts: 0 },
    ],
    [
      'with reasoning',
      completion({ content: 'Answer', reasoning_content: 'Hm' }),
      { reasoning: 'Hm', content: 'Answer' },
    ],
    [
      'with sources and usage',
      completion({ content: 'Answer' }, { citations: [A], usage: { input_tokens: 1, output_tokens: '2' } }),
      { sources: [{ url: A, title: null }], usage: { promptTokens: 1, completionTokens: 2, totalTokens: 3 } },
    ],
    ['without content', completion({ content: '' }), { error: empty(/said nothing/) }],
    ['with a tool call', completion({ content: null, tool_calls: [{}] }), { error: empty(/tool/) }],
    ['with an error in its choice', { choices: [{ error: { message: 'Died' } }] }, { error: failed('Died') }],
    ['that is an error', { object: 'error', message: 'Died' }, { error: failed('Died') }],
    ['that is a list of one error', [{ error: { message: 'Died' } }], { error: failed('Died') }],
    ['that is a FastAPI detail', { detail: 'Died' }, { error: failed('Died') }],
    [
      'as JSON lines',
      [text('a'), text('b'), FINISH].map((line) => line.slice(6).trimEnd()).join('\n'),
      { content: 'ab', finishReason: 'stop' },
    ],
    ['with a byte order mark', `\ufeff${JSON.stringify(completion({ content: 'a' }))}`, { content: 'a' }],
    [
      'as a sentence',
      'The model is asleep',
      { error: { code: 'upstream_bad_response', detail: 'The model is asleep' } },
    ],
    ['as text parts', completion({ content: [{ type: 'text', text: 'a' }] }), { content: 'a' }],
    [
      'as legacy text',
      { choices: [{ text: 'a', finish_reason: 'length' }] },
      { content: 'a', finishReason: 'length' },
    ],
  ])('%s', async (_, body, expected) => {
    p.played.willAnswer(200, body);

    expect(await p.reader.read()).toMatchObject({ error: null, ...expected });
  });
});

describe('Content-Encoding', () => {
  const stream = text('Grüße, 世界') + FINISH + DONE;

  it.each<[string, string, Uint8Array]>([
    ['gzip', 'gzip', gzipSync(stream)],
    ['x-gzip in upper case', 'X-GZIP', gzipSync(stream)],
    ['br', 'br', brotliCompressSync(stream)],
    ['deflate', 'deflate', deflateSync(stream)],
    ['raw deflate', 'deflate', deflateRawSync(stream)],
    ['brotli over gzip', 'gzip, br', brotliCompressSync(gzipSync(stream))],
    ['plain text labelled gzip', 'gzip', Buffer.from(stream)],
    ['identity', 'identity', Buffer.from(stream)],
    ['plain text labelled with inherited names', 'constructor, __proto__', Buffer.from(stream)],
    ['plain text labelled gzip more often than the stack allows', 'gzip,'.repeat(9_000), Buffer.from(stream)],
  ])('%s is decoded', async (_, encoding, body) => {
    p.played.willAnswer(200, body, { 'Content-Encoding': encoding });
    expect(await p.reader.read()).toMatchObject({
      content: 'Grüße, 世界',
      finishReason: 'stop',
      error: null,
    });
  });

  it('is decoded five times at most', async () => {
    const encoded = (times: number) =>
      Array.from({ length: times }).reduce<Uint8Array>((body) => gzipSync(body), Buffer.from(stream));
    const read = (times: number) => {
      p.played.willAnswer(200, encoded(times), { 'Content-Encoding': Array(times).fill('gzip').join(', ') });
      return p.reader.read();
    };

    expect(await read(5)).toMatchObject({ content: 'Grüße, 世界', error: null });
    expect(await read(6)).toMatchObject({ content: '', error: { code: 'upstream_bad_response' } });
  });

  it.each<[string, () => Gzip | BrotliCompress]>([
    ['gzip', () => createGzip({ flush: constants.Z_SYNC_FLUSH })],
    ['br', () => createBrotliCompress({ flush: constants.BROTLI_OPERATION_FLUSH })],
  ])('%s is decoded as it arrives', async (encoding, create) => {
    const server = createHttpServer((_, response) => {
      response.writeHead(200, { 'Content-Encoding': encoding });
      const encoder = create();
      encoder.pipe(response);
      encoder.write(text('a')); // and nothing more
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const modelUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;

    expect(await p.hasty.read(p.hasty.provider({ modelUrl }))).toMatchObject({
      content: 'a',
      error: { code: 'upstream_timeout' },
    });
    server.close();
  });

  it('is decoded up to the end of a closed connection', async () => {
    const server = createHttpServer((_, response) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip' });
      const encoder = createGzip({ flush: constants.Z_SYNC_FLUSH });
      encoder.on('data', (bytes) => response.write(bytes, () => response.destroy()));
      encoder.write(text('a'));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const modelUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;

    expect(await p.reader.read(p.reader.provider({ modelUrl }))).toMatchObject({
      content: 'a',
      error: { code: 'upstream_bad_response', detail: 'The provider ended the reply in the middle.' },
    });
    server.close();
  });

  it.each<[string, (text: string) => Uint8Array]>([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ])('%s is decoded in errors', async (encoding, encode) => {
    p.played.willAnswer(402, encode('{"error":{"message":"No such luck"}}'), {
      'Content-Encoding': encoding,
    });
    expect((await p.reader.read()).error).toMatchObject({ code: 'upstream_error', detail: 'No such luck' });
  });

  it('cannot bypass the limits', async () => {
    const bombs = [`data: ${'x'.repeat(64 * 2 ** 20)}`, text('x'.repeat(500_000)).repeat(40)];
    for (const bomb of bombs) {
      p.played.willAnswer(200, gzipSync(bomb), { 'Content-Encoding': 'gzip' });
      expect((await p.reader.read()).error).toMatchObject({ code: 'upstream_bad_response' });
    }
    p.played.willAnswer(402, gzipSync('x'.repeat(64 * 2 ** 20)), { 'Content-Encoding': 'gzip' });
    expect((await p.reader.read()).error?.detail.length).toBeLessThanOrEqual(500);
  });

  it('that is invalid is a bad response', async () => {
    const broken = Buffer.from([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (let tries = 0; tries < 3; tries++) p.played.willAnswer(200, broken, { 'Content-Encoding': 'gzip' });
    expect((await p.reader.read()).error).toMatchObject({ code: 'upstream_bad_response' });
  });
});

describe('100 Continue', () => {
  const body = `HTTP/1.1 200 OK\r\nContent-Length: ${text('a').length}\r\n\r\n${text('a')}`;

  it.each<[string, string[]]>([
    ['alone', ['HTTP/1.1 100 Continue\r\n\r\n', body]],
    ['together with the response', [`HTTP/1.1 100 Continue\r\n\r\n${body}`]],
    ['byte by byte', [...'HTTP/1.1 100 Continue\r\n\r\n', body]],
    ['after 103', [`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${body}`]],
    ['with headers, in pieces', ['HTTP/1.1 100 Cont', 'inue\r\nX: y\r\n\r', `\n${body}`]],
    [
      'twice, and another',
      [`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${body}`],
    ],
  ])('is ignored if unrequested: %s', async (_, pieces) => {
    const server = createServer((socket) => {
      socket.setNoDelay(true).on('error', () => {});
      socket.once('data', () =>
        pieces.forEach((piece, index) => setTimeout(() => socket.write(piece), index * 30)),
      );
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const modelUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;

    expect(await p.reader.read(p.reader.provider({ modelUrl }))).toMatchObject({ content: 'a', error: null });
    server.close();
  });
});

describe('a config test', () => {
  it.each<[string, string, object]>([
    ['fails for an empty reply', FINISH + DONE, { ok: false, error: empty(/said nothing/) }],
    [
      'fails for a reply of reasoning only',
      delta({ reasoning_content: 'Hm' }) + choice({ delta: {}, finish_reason: 'length' }) + DONE,
      { ok: false, error: empty(/allowance/) },
    ],
    [
      'fails for a tool call',
      delta({ tool_calls: [{}] }) + FINISH + DONE,
      { ok: false, error: empty(/tool/) },
    ],
    [
      'passes for text after reasoning',
      delta({ reasoning_content: 'Hm' }) + text('Hello') + FINISH + DONE,
      { ok: true },
    ],
  ])('%s', async (_, stream, expected) => {
    p.played.willStream(raw(stream), noDone());
    expect(await p.reader.ai.test(p.reader.provider())).toMatchObject(expected);
  });
});
