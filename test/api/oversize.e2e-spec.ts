import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { RawConnection, sendRaw } from '../support/clients/raw.js';

const LIMIT = 2 * 1024 * 1024;
const ORIGIN = 'https://app.example.com';

let t: TestApp;
beforeAll(async () => {
  t = await startTestApp({ env: { CORS_ORIGINS: ORIGIN, DEMO_MODEL: 'true' } });
});
afterAll(() => t?.stop());

const headOf = (target: string, ...headers: string[]) =>
  [`${target} HTTP/1.1`, 'Host: a', 'Content-Type: application/json', ...headers, '', ''].join('\r\n');
const problemIn = (answer: string) => JSON.parse(/\{.*\}/s.exec(answer)![0]) as Record<string, unknown>;

const TARGETS = [
  'POST /auth/register',
  'POST /auth/login',
  'POST /conversations/1/chat',
  'POST /auth/logout',
  'POST /socket.io/?EIO=4&transport=polling&sid=x',
  'POST /nowhere',
  'PUT /auth/login',
  'DELETE /conversations/1',
  'GET /health/live',
  'GET /',
  'POST /',
];

describe('a Content-Length over the limit', () => {
  it.each(TARGETS)('is answered 413 before any body byte by %s', async (target) => {
    const id = randomUUID();
    const head = headOf(target, 'Content-Length: 100000000000', `Origin: ${ORIGIN}`, `X-Request-Id: ${id}`);

    const answer = await sendRaw(t.url, head);

    expect(answer).toMatch(/^HTTP\/1.1 413 Payload Too Large\r\n/);
    expect(answer).toMatch(/\r\nConnection: close\r\n/i);
    expect(answer).toMatch(/\r\nContent-Type: application\/problem\+json/);
    expect(answer).toContain(`\r\nX-Request-Id: ${id}\r\n`);
    expect(answer).toContain(`\r\nAccess-Control-Allow-Origin: ${ORIGIN}\r\n`);
    expect(problemIn(answer)).toMatchObject({ status: 413, code: 'body_too_large', request_id: id });
  });

  it.each([
    ['POST /auth/login', LIMIT + 1],
    ['POST /demo/v1/chat/completions', 8 * LIMIT + 1],
  ])('is answered 413 from one byte over the limit by %s', async (target, length) => {
    expect(await sendRaw(t.url, headOf(target, `Content-Length: ${length}`))).toMatch(/^HTTP\/1.1 413 /);
  });

  it.each([
    ['POST /auth/login', LIMIT],
    ['POST /demo/v1/chat/completions', 8 * LIMIT],
  ])('is accepted up to the limit by %s', async (target, length) => {
    const head = headOf(target, 'Connection: close', `Content-Length: ${length}`);

    expect(await sendRaw(t.url, `${head}${' '.repeat(length)}`)).toMatch(/^HTTP\/1.1 40[01] /);
  });

  it.each(['99999999999999999999999999', '18446744073709551616'])(
    'is answered 413 beyond the range of a number: %s',
    async (length) => {
      const answer = await sendRaw(t.url, headOf('POST /auth/login', `Content-Length: ${length}`));

      expect(answer).toMatch(/^HTTP\/1.1 413 .*\r\nConnection: close\r\n/s);
      expect(problemIn(answer)).toMatchObject({ code: 'body_too_large', request_id: expect.any(String) });
    },
  );

  it.each([
    ['no number', ['Content-Length: x']],
    ['negative', ['Content-Length: -1']],
    ['hexadecimal', ['Content-Length: 0x10']],
    ['a list', ['Content-Length: 2, 2']],
    ['doubled', ['Content-Length: 2', 'Content-Length: 3']],
    ['beside chunks', ['Content-Length: 2', 'Transfer-Encoding: chunked']],
    ['empty', ['Content-Length:']],
  ])('is answered 400 for %s', async (_what, headers) => {
    const answer = await sendRaw(t.url, `${headOf('POST /auth/login', ...headers)}{}`);

    expect(answer).toMatch(/^HTTP\/1.1 400 .*\r\nContent-Type: application\/problem\+json\r\n/s);
    expect(problemIn(answer)).toMatchObject({ code: 'bad_request', detail: 'The request is not HTTP/1.1.' });
  });

  it('is answered 413 instead of 100 Continue', async () => {
    const expecting = ['Expect: 100-continue', 'Content-Length: 100000000000'];

    expect(await sendRaw(t.url, headOf('POST /auth/login', ...expecting))).toMatch(/^HTTP\/1.1 413 /);
  });

  it('does not affect other clients with Expect: they get 100 Continue', async () => {
    const head = headOf(
      'POST /auth/refresh',
      'Expect: 100-continue',
      'Content-Length: 2',
      'Connection: close',
    );
    const client = new RawConnection(t.url).send(head);

    await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
    client.send('{}');

    expect(await client.end()).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 422 /);
  });
});

describe('a body over the limit', () => {
  const CHUNK = `${(64 * 1024).toString(16)}\r\n${'x'.repeat(64 * 1024)}\r\n`;

  it('in chunks is answered 413 at the limit, before its end', async () => {
    const client = new RawConnection(t.url).send(headOf('POST /auth/login', 'Transfer-Encoding: chunked'));
    for (let sent = 0; sent <= LIMIT; sent += 64 * 1024) client.send(CHUNK);

    const answer = await client.end();

    expect(answer).toMatch(/^HTTP\/1.1 413 .*\r\nConnection: close\r\n/s);
    expect(problemIn(answer)).toMatchObject({ code: 'body_too_large' });
  });

  it.each([
    ['declared', 'Content-Length: 100000000000', 'x'.repeat(64 * 1024)],
    ['in chunks', 'Transfer-Encoding: chunked', CHUNK],
  ])('%s from a client that keeps sending is answered and closed', async (_what, header, part) => {
    const client = new RawConnection(t.url, { allowHalfOpen: true }).send(headOf('POST /auth/login', header));
    const sendOn = () => {
      while (client.socket.write(part));
    };
    client.socket.on('drain', sendOn).on('error', () => undefined);
    sendOn();
    const closed = new Promise((resolve) => client.socket.on('close', resolve));

    expect(await client.until(/\r\n\r\n\{.*\}$/s)).toMatch(/^HTTP\/1.1 413 /);
    await closed;
  });

  it('is answered also to a client that sends everything before reading', async () => {
    const client = new RawConnection(t.url);
    client.socket.pause();
    client.send(headOf('POST /auth/login', `Content-Length: ${8 * LIMIT}`)).send('x'.repeat(8 * LIMIT));
    await new Promise((resolve) => client.socket.once('drain', resolve));
    client.socket.resume();

    expect(await client.end()).toMatch(/^HTTP\/1.1 413 .*"body_too_large"/s);
  });

  it('cannot smuggle a second request', async () => {
    const head = headOf('POST /auth/login', `Content-Length: ${LIMIT + 1}`);
    const client = new RawConnection(t.url).send(head);
    await client.until(/"body_too_large"/);

    client.send(`${'x'.repeat(LIMIT + 1)}${headOf('GET /health/live', 'Connection: close')}`);

    expect((await client.end()).match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 413']);
  });
});
