import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { gate } from '../support/provider/provider.js';
import { RawConnection, sendRaw } from '../support/clients/raw.js';
import type { TestUser } from '../support/app/user.js';

const H2C = [
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA',
];

let t: TestApp;
let ada: TestUser;
beforeAll(async () => {
  t = await startTestApp();
  ada = await t.user().withConfig(t.provider).create();
});
afterAll(() => t?.stop());

const requestOf = (target: string, headers: string[], body = '') =>
  [`${target} HTTP/1.1`, 'Host: a', ...headers, '', body].join('\r\n');
const withBody = (body: string) => ['Content-Type: application/json', `Content-Length: ${body.length}`];
const statuses = (answers: string) =>
  (answers.match(/HTTP\/1.1 \d+/g) ?? []).map((line) => Number(line.slice(9)));

/** Sends requests and a last one over one connection. @returns the responses */
async function answersTo(...requests: string[]): Promise<string> {
  const last = requestOf('GET /health/ready', ['Connection: close']);
  return sendRaw(t.url, requests.join('') + last);
}

describe('an Upgrade to another protocol than WebSocket is ignored', () => {
  it.each([
    ['h2c', H2C],
    ['H2C, in capitals', ['Connection: upgrade', 'Upgrade: H2C']],
    ['TLS/1.0', ['Connection: Upgrade', 'Upgrade: TLS/1.0']],
    ['several', ['Connection: Upgrade', 'Upgrade: h2c, TLS/1.3, IRC/6.9']],
    ['in two headers', ['Connection: Upgrade', 'Upgrade: h2c', 'UPGRADE: TLS/1.0']],
    ['websocket’s look-alikes', ['Connection: Upgrade', 'Upgrade: websocket2, xwebsocket']],
    ['empty', ['Connection: Upgrade', 'Upgrade: ']],
    ['kept alive', ['Connection: keep-alive, Upgrade', 'Upgrade: h2c']],
  ])('%s', async (_what, headers) => {
    const answers = await answersTo(requestOf('GET /health/live', headers));

    expect(statuses(answers)).toEqual([200, 200]);
    expect(answers).not.toMatch(/\r\nUpgrade:/i);
  });

  it.each([
    ['GET /', 200],
    ['GET /docs', 200],
    ['GET /auth/me', 401],
    ['GET /nowhere', 404],
    ['PUT /auth/login', 405],
    ['OPTIONS /auth/login', 204],
    ['TRACE /', 405],
    ['GET /socket.io/?EIO=4&transport=polling', 200],
    ['GET /conversations/ws/1', 404],
  ])('on %s', async (target, status) => {
    expect(statuses(await answersTo(requestOf(target, H2C)))).toEqual([status, 200]);
  });

  const login = () => JSON.stringify({ email: ada.email, password: ada.password });

  it('with a body', async () => {
    const body = login();
    const answers = await answersTo(requestOf('POST /auth/login', [...H2C, ...withBody(body)], body));

    expect(statuses(answers)).toEqual([200, 200]);
    expect(answers).toContain('"access_token"');
  });

  it('with a body in chunks', async () => {
    const chunks = [...login()].map((character) => `1\r\n${character}\r\n`).join('') + '0\r\n\r\n';
    const headers = ['Content-Type: application/json', 'Transfer-Encoding: chunked'];

    expect(statuses(await answersTo(requestOf('POST /auth/login', [...H2C, ...headers], chunks)))).toEqual([
      200, 200,
    ]);
  });

  it('with a body sent byte by byte after the headers', async () => {
    const request = requestOf(
      'POST /auth/login',
      [...H2C, ...withBody(login()), 'Connection: close'],
      login(),
    );
    const client = new RawConnection(t.url);
    client.socket.setNoDelay(true);
    for (const byte of request) {
      await new Promise((resolve) => client.socket.write(byte, resolve));
    }

    expect(await client.end()).toMatch(/^HTTP\/1.1 200 .*"access_token"/s);
  });

  it('with a body after 100 Continue', async () => {
    const headers = [...H2C, ...withBody('{}'), 'Expect: 100-continue', 'Connection: close'];
    const client = new RawConnection(t.url).send(requestOf('POST /auth/refresh', headers));
    await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);

    client.send('{}');

    expect(statuses(await client.end())).toEqual([100, 422]);
  });

  it('with a body that is too large', async () => {
    const answer = await sendRaw(
      t.url,
      requestOf('POST /auth/login', [...H2C, 'Content-Length: 100000000000']),
    );

    expect(answer).toMatch(/^HTTP\/1.1 413 .*\r\nConnection: close\r\n/s);
  });

  it('repeatedly over one connection, with responses in order', async () => {
    const conversation = await ada.createConversation();
    const { access_token } = ada.tokens;
    const body = JSON.stringify({ content: 'Hi' });
    const held = gate();
    t.provider.willStream('one', held, ' two');
    const chat = requestOf(
      `POST /conversations/${conversation.id}/chat`,
      [...H2C, ...withBody(body), `Authorization: Bearer ${access_token}`],
      body,
    );
    const client = new RawConnection(t.url).send(chat);
    client.send(requestOf('GET /nowhere', H2C) + requestOf('GET /health/live', H2C));
    client.send(requestOf('GET /auth/me', [...H2C, 'Connection: close']));
    while ((await ada.history(conversation.id)).length === 0);
    held.open();

    const answers = await client.end();

    expect(statuses(answers)).toEqual([200, 404, 200, 401]);
    expect(answers).toContain('"content":"one two"');
  });

  it('with more headers than Node keeps by default, all of which are read', async () => {
    const many = Array.from({ length: 3000 }, () => 'a:');
    const body = requestOf('GET /smuggled', []);
    const headers = [...H2C, ...many, 'Content-Type: text/plain', `Content-Length: ${body.length}`];

    const answers = await answersTo(requestOf('POST /auth/login', headers, body));

    expect(statuses(answers)).toEqual([415, 200]);
  });

  it.each([
    ['two lengths', ['Content-Length: 2', 'Content-Length: 3']],
    ['length and chunks', ['Content-Length: 2', 'Transfer-Encoding: chunked']],
    ['chunks that are no last encoding', ['Transfer-Encoding: chunked, identity']],
    ['a space before the colon', ['Content-Length : 2']],
    ['a bare line feed', ['X: a\nContent-Length: 2']],
    ['a folded line', ['X: a\r\n\tContent-Length: 2']],
  ])('but %s are refused as usual', async (_what, headers) => {
    const request = (also: string[]) =>
      requestOf('POST /auth/login', [...also, ...headers], requestOf('GET /smuggled', ['Connection: close']));

    const plain = statuses(await sendRaw(t.url, request([])));

    expect(statuses(await sendRaw(t.url, request(H2C)))).toEqual(plain);
  });

  it('and the server survives a client that disconnects', async () => {
    const client = new RawConnection(t.url).send(
      requestOf('POST /auth/login', [...H2C, 'Content-Length: 9'], '{'),
    );
    client.socket.resetAndDestroy();

    expect((await t.http.get('/health/live')).status).toBe(200);
  });
});

describe('an Upgrade to WebSocket', () => {
  const handshake = (value: string) => [
    'Connection: Upgrade',
    `Upgrade: ${value}`,
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];

  it.each(['websocket', 'WebSocket', 'h2c, websocket', 'websocket,h2c'])(
    'is accepted for %j',
    async (value) => {
      for (const path of ['/conversations/ws/1', '/socket.io/?EIO=4&transport=websocket']) {
        const client = new RawConnection(t.url).send(requestOf(`GET ${path}`, handshake(value)));

        expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1.1 101 /);
        client.socket.destroy();
      }
    },
  );

  it.each([
    ['POST /auth/login', 422],
    ['TRACE /', 405],
    ['HEAD /health/live', 200],
    ['POST /conversations/ws/1', 404],
  ])('is ignored on %s, as a handshake is a GET', async (target, status) => {
    const answers = await sendRaw(
      t.url,
      requestOf(target, handshake('websocket')) + requestOf('GET /health/ready', ['Connection: close']),
    );

    expect(statuses(answers)).toEqual([status, 200]);
  });

  it.each(['/', '/nowhere', '/health/live'])('is answered 404 on %s, which has no socket', async (path) => {
    expect(await sendRaw(t.url, requestOf(`GET ${path}`, handshake('websocket')))).toMatch(/^HTTP\/1.1 404 /);
  });
});
