/** Errors of AiService: statuses, timeouts, bad responses. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { ProviderError } from '../../src/ai/provider/provider.error.js';
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
  rst,
  stall,
} from '../support/provider/provider.js';
import { IDLE_TIMEOUT_MS, KEY, UNREACHABLE, useAi } from '../support/provider/ai-setup.js';

const h = useAi();

describe('a provider error', () => {
  it.each<[number, string]>([
    [401, 'upstream_auth'],
    [402, 'upstream_error'],
    [403, 'upstream_auth'],
    [404, 'upstream_error'],
    [413, 'upstream_error'],
  ])('with status %i is %s with the provider’s message, without a retry', async (status, code) => {
    h.played.willAnswer(status, { error: { message: 'No such\nluck' } });

    const { error } = await h.read();

    expect(error).toBeInstanceOf(ProviderError);
    expect(error).toMatchObject({ code, detail: 'No such luck' });
    expect(h.played.chats).toHaveLength(1);
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
  ])('with the body %j has the detail %j', async (body, detail) => {
    h.played.willAnswer(404, body);

    expect((await h.read()).error?.detail).toBe(detail);
  });

  it.each([500, 503])('with status %i is retried', async (status) => {
    h.played.willAnswer(status, 'Not now');

    expect(await h.read()).toMatchObject({ content: 'Hello from the model.', error: undefined });
    expect(h.played.chats).toHaveLength(2);
  });

  it('is returned after the third try, with growing delays', async () => {
    const times: number[] = [];
    h.played.onRequest = () => void times.push(Date.now());
    for (let i = 0; i < 4; i++) h.played.willAnswer(500, { error: { message: 'Oops' } });

    expect((await h.read()).error).toMatchObject({ code: 'upstream_error', detail: 'Oops' });
    expect(times).toHaveLength(3);
    expect(times[1]! - times[0]!).toBeGreaterThan(300);
    expect(times[2]! - times[1]!).toBeGreaterThan(600);
  });

  it('with status 429 is retried after Retry-After', async () => {
    const start = Date.now();
    h.played.willAnswer(429, 'Slow down', { 'Retry-After': '1' });

    expect((await h.read()).error).toBeUndefined();
    expect(Date.now() - start).toBeGreaterThan(950);
  });

  it('with status 429 and a long Retry-After is returned at once with the delay', async () => {
    h.played.willAnswer(429, { error: { message: 'Slow down' } }, { 'Retry-After': '120' });

    const { error } = await h.read();

    expect(error).toMatchObject({
      code: 'upstream_rate_limited',
      detail: 'Slow down. Try again in 120 seconds (about 2 minutes).',
      retryAfterSeconds: 120,
    });
    expect(h.played.chats).toHaveLength(1);
  });

  it('with status 429 and a date in Retry-After contains the seconds until then', async () => {
    h.played.willAnswer(429, '', { 'Retry-After': new Date(Date.now() + 60_000).toUTCString() });

    expect((await h.read()).error?.retryAfterSeconds).toBeGreaterThan(57);
  });

  it('with status 429 and no Retry-After is upstream_rate_limited after three tries', async () => {
    for (let i = 0; i < 3; i++) h.played.willAnswer(429, '');

    expect((await h.read()).error).toMatchObject({
      code: 'upstream_rate_limited',
      retryAfterSeconds: undefined,
    });
    expect(h.played.chats).toHaveLength(3);
  });

  it('is upstream_unreachable for a refused connection', async () => {
    const from = h.provider();
    await h.played.stop();

    expect((await h.read(from)).error).toMatchObject({
      code: 'upstream_unreachable',
      detail: UNREACHABLE,
    });
  });

  it('is upstream_unreachable after three connections reset before a response', async () => {
    h.played.willReset().willReset().willReset();

    expect((await h.read()).error).toMatchObject({ code: 'upstream_unreachable', detail: UNREACHABLE });
    expect(h.played.chats).toHaveLength(3);
  });

  it('before the first token disappears after a successful retry', async () => {
    h.played.willReset().willStream(rst());

    expect(await h.read()).toMatchObject({ content: 'Hello from the model.', error: undefined });
  });

  it('after the first token is never retried', async () => {
    expect(await h.ask('Hel', rst())).toMatchObject({
      content: 'Hel',
      error: { code: 'upstream_unreachable' },
    });
    expect(h.played.chats).toHaveLength(1);
  });

  it('is upstream_unreachable for a name that does not resolve', async () => {
    h.ai = h.makeAi({}, () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })));

    const { error } = await h.read(h.provider({ modelUrl: 'http://nowhere.test/v1' }));

    expect(error).toMatchObject({ code: 'upstream_unreachable', detail: UNREACHABLE });
  });

  it.each<[string, () => unknown]>([
    ['the headers never come', () => h.played.willHang()],
    ['the first byte never comes', () => h.played.willStream(stall())],
  ])('is a timeout if %s', async (_, play) => {
    play();

    expect((await h.read()).error).toMatchObject({ code: 'upstream_timeout' });
    await h.played.chats[0]?.closed;
    expect(h.played.chats).toHaveLength(1);
  });

  it('is a timeout if the error’s body never ends', async () => {
    const { url } = await h.rawServer((socket) =>
      socket.write('HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nOops'),
    );

    expect((await h.read(h.provider({ modelUrl: url }))).error).toMatchObject({ code: 'upstream_timeout' });
  });

  it('is a timeout if the provider stalls, with the text so far', async () => {
    expect(await h.ask('Hel', stall())).toMatchObject({
      content: 'Hel',
      error: { code: 'upstream_timeout' },
    });
    await h.played.chats[0]?.closed;
  });

  it('is no timeout while comments arrive, until the total timeout', async () => {
    h.ai = h.makeAi({ upstreamTotalTimeoutSeconds: 1.5 });
    const comments = Array.from({ length: 40 }, () => [pause(100), raw(': still here\n\n')]).flat();

    const start = Date.now();
    const { error, content } = await h.ask('Hel', ...comments);

    expect(error).toMatchObject({ code: 'upstream_timeout' });
    expect(content).toBe('Hel');
    expect(Date.now() - start).toBeGreaterThan(1_400);
  });

  it('is no timeout while the reader of the reply is slow', async () => {
    const hold = gate();
    h.played.willStream('Hel', hold, 'lo');
    const readSlowly = async () => {
      await delay(1.5 * IDLE_TIMEOUT_MS);
      hold.open();
    };

    expect(await h.read(undefined, undefined, undefined, readSlowly)).toMatchObject({
      content: 'Hello',
      error: undefined,
    });
  });

  it.each<[string, Piece[]]>([
    ['a closed connection', [cut()]],
    ['a connection closed in the middle of a line', [raw('data: {"choices":[{"del'), cut()]],
    ['an end in the middle of a line', [raw('data: {"choices":[{"del'), noDone()]],
    ['a line of 64 MiB', [raw('data: '), ...Array<Piece>(64).fill(raw('x'.repeat(1024 * 1024)))]],
    ['an event without end', [endless('data: x\n'.repeat(1000))]],
  ])('is a bad response after %s, with the text so far', async (_, pieces) => {
    const outcome = await h.ask('Hel', ...pieces);

    expect(outcome).toMatchObject({ content: 'Hel', error: { code: 'upstream_bad_response' } });
    expect(h.played.chats).toHaveLength(1);
  });

  it.each<[string, string | object]>([
    ['an HTML page', '<!doctype html><title>Welcome</title>'],
    ['JSON that is not a completion', { hello: 'world' }],
    ['JSON with no choices', { choices: [] }],
    ['invalid JSON', '{"choices": [{'],
    ['plain text', 'Hello'],
  ])('is a bad response for %s', async (_, body) => {
    h.played.willAnswer(200, body);

    expect(await h.read()).toMatchObject({ content: '', error: { code: 'upstream_bad_response' } });
  });

  it('is a bad response for a redirect, which is not followed', async () => {
    const sink = await PlayedProvider.start();
    h.played.willAnswer(307, '', { Location: `${sink.url}/chat/completions` });

    expect((await h.read()).error).toMatchObject({ code: 'upstream_bad_response' });
    expect(sink.requests).toEqual([]);
    await sink.stop();
  });

  it.each<[string, string]>([
    ['a response that is not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['headers of 100 KiB', `HTTP/1.1 200 OK\r\nX-Big: ${'x'.repeat(100 * 1024)}\r\n\r\n`],
    ['an invalid chunk length', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a truncated body', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndata: x'],
  ])('is a bad response for %s', async (_, bytes) => {
    const server = await h.rawServer((socket) => socket.end(bytes));

    expect((await h.read(h.provider({ modelUrl: server.url }))).error).toMatchObject({
      code: 'upstream_bad_response',
    });
  });

  it('in the stream carries the provider’s message', async () => {
    const data = await h.ask('Hel', errorEvent({ message: 'Overloaded', type: 'server_error' }), 'lo');
    const named = await h.ask('Hel', raw('event: error\ndata: {"message":"Overloaded"}\n\n'));
    const plain = await h.ask('Hel', raw('event: error\ndata: Overloaded\n\n'));

    for (const outcome of [data, named, plain]) {
      expect(outcome).toMatchObject({
        content: 'Hel',
        error: { code: 'upstream_error', detail: 'Overloaded' },
      });
    }
  });

  it('as JSON with status 200 is an error, not a bad response', async () => {
    h.played.willAnswer(200, { error: { message: 'Overloaded' } });

    expect((await h.read()).error).toMatchObject({ code: 'upstream_error', detail: 'Overloaded' });
  });

  it('is a content filter if the provider’s code says so', async () => {
    const filtered = { message: 'Held back', code: 'content_filter' };
    h.played.willAnswer(400, { error: filtered });

    expect((await h.read()).error).toMatchObject({ code: 'content_filtered', detail: 'Held back' });
    expect((await h.ask('Hel', errorEvent(filtered))).error).toMatchObject({ code: 'content_filtered' });
  });

  it('is a content filter for that finish reason after the text', async () => {
    const outcome = await h.ask('Hel', finish('content_filter'));

    expect(outcome).toMatchObject({
      content: 'Hel',
      finishReason: 'content_filter',
      error: { code: 'content_filtered' },
    });
  });

  it('masks the key in any echoed form', async () => {
    const echoes = [
      `Incorrect key ${KEY}`,
      `Incorrect key ${encodeURIComponent(KEY).replace(/-/g, '%2D')}`,
      `Incorrect key ${KEY.slice(0, 9)}…${KEY.slice(-8)}`,
      `Incorrect header Authorization: Bearer something-else`,
      `Incorrect key sk-proj-abcdefgh12345`,
    ];
    for (const echo of echoes) {
      h.played.willAnswer(401, { error: { message: echo } });
      const { detail } = (await h.read()).error!;
      expect(detail).toMatch(/^Incorrect/);
      expect(detail).toContain('***');
      expect(detail).not.toMatch(/test-key|012345|ijklmnop|something-else|abcdefgh/);
    }
  });

  it('has a detail of at most 500 characters', async () => {
    h.played.willAnswer(404, { error: { message: 'x'.repeat(100_000) } });

    expect((await h.read()).error?.detail.length).toBeLessThanOrEqual(500);
  });

  it('does not show a key that is not a valid header', async () => {
    const { error } = await h.read(h.provider({ apiKey: 'schlüssel-钥匙' }));

    expect(error).toMatchObject({ code: 'upstream_auth' });
    expect(error?.detail).not.toContain('钥匙');
  });
});
