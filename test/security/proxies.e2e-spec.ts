import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { LogLines } from '../support/app/log-lines.js';
import { sendRaw } from '../support/clients/raw.js';

const PROXIES = 'loopback, 10.0.0.0/8, fd00::/8';
const PEER = '127.0.0.1';

/** Values of X-Forwarded-For, and the resulting client address. */
const ADDRESSES: [header: string, address: string][] = [
  ['198.51.100.8', '198.51.100.8'],
  ['198.51.100.8:4711', '198.51.100.8'],
  ['198.51.100.8:', '198.51.100.8'],
  [' 198.51.100.8:4711 ', '198.51.100.8'],
  ['"198.51.100.8:4711"', '198.51.100.8'],
  ['198.51.100.8:_port', '198.51.100.8'],
  ['[198.51.100.8]:4711', '198.51.100.8'],
  ['2001:db8::5', '2001:db8::5'],
  ['[2001:db8::5]', '2001:db8::5'],
  ['[2001:db8::5]:443', '2001:db8::5'],
  ['"[2001:db8::5]:443"', '2001:db8::5'],
  ['2001:DB8:0:0:0:0:0:5', '2001:db8::5'],
  ['2001:db8:0:0:0:0:0:5:443', '2001:db8::5'],
  ['2001:db8::5%eth0', '2001:db8::5'],
  ['[2001:db8::5%25eth0]:443', '2001:db8::5'],
  ['::ffff:198.51.100.8', '198.51.100.8'],
  ['[::FFFF:c633:6408]:4711', '198.51.100.8'],
  ['192.0.2.66, 198.51.100.8:4711', '198.51.100.8'],
  ['192.0.2.66,198.51.100.8:4711,10.0.0.2:51000', '198.51.100.8'],
  ['198.51.100.8:1, [fd00::2]:2, ::ffff:10.0.0.3, 10.0.0.4:5', '198.51.100.8'],
  ['198.51.100.8, , ,', '198.51.100.8'],
  [`${'192.0.2.66, '.repeat(500)}198.51.100.8:4711`, '198.51.100.8'],
  ['10.0.0.2:4711', '10.0.0.2'],
  ['', PEER],
  [',', PEER],
  ['unknown', PEER],
  ['_hidden', PEER],
  ['_hidden:4711', PEER],
  ['[]:80', PEER],
  ['999.1.1.1', PEER],
  ['198.51.100.8.9:80', PEER],
  ['127.1', PEER],
  ['0x7f.1', PEER],
  ['01.2.3.4', PEER],
  ['unix:', PEER],
  ['client.example.com:80', PEER],
  // Entries left of an entry without an address are supplied by the client.
  ['192.0.2.66, unknown', PEER],
  ['192.0.2.66, unknown, 10.0.0.2', PEER],
];

describe('the client’s address behind a trusted proxy', () => {
  const log = new LogLines();
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp({ env: { TRUST_PROXY: PROXIES }, log });
  });
  afterAll(() => t?.stop());

  it.each(ADDRESSES)('of %j is %s, in sessions and in the log', async (header, address) => {
    const ada = await t.user().create();
    const headers = { 'X-Forwarded-For': header, 'X-Request-Id': randomUUID() };
    const { email, password } = ada;

    expect((await t.http.post('/auth/login', { email, password }, headers)).status).toBe(200);

    const { body } = await ada.get<{ sessions: { ip: string }[] }>('/auth/sessions');
    expect(body.sessions.map(({ ip }) => ip)).toContain(address);
    expect((await log.ofRequest(headers['X-Request-Id'])).address).toBe(address);
  });

  it('is the peer’s own if the peer is no trusted proxy', async () => {
    const other = await startTestApp({ env: { TRUST_PROXY: '10.0.0.0/8' }, log });
    const id = randomUUID();

    await other.http.get('/health/ready', { 'X-Forwarded-For': '198.51.100.8:4711', 'X-Request-Id': id });

    expect((await log.ofRequest(id)).address).toBe(PEER);
    await other.stop();
  });
});

describe('limits of an address forwarded with changing ports', () => {
  let t: TestApp;
  let port = 4000;
  const from = (address: string) => ({ 'X-Forwarded-For': `${address}:${port++}` });
  beforeAll(async () => {
    // 2 calls with credentials per address, 10 sockets
    t = await startTestApp({ env: { TRUST_PROXY: 'loopback', RATE_LIMIT_SCALE: '0.1' } });
  });
  afterAll(() => t?.stop());

  it('count one address over HTTP', async () => {
    const attempt = (address: string) => t.http.post('/auth/refresh', { refresh_token: 'x' }, from(address));
    for (let n = 0; n < 2; n++) expect((await attempt('198.51.100.8')).status).toBe(401);

    expect((await attempt('198.51.100.8')).status).toBe(429);
    expect((await attempt('198.51.100.9')).status).toBe(401);
  });

  it('count one address over both kinds of sockets', async () => {
    const ada = await t.user().create();
    const early = Array.from({ length: 10 }, () =>
      ada.ws(1, { auth: 'none', headers: from('[2001:db8::5]') }),
    );
    await Promise.all(early.map(({ opened }) => opened));

    const refused = ada.socket({ extraHeaders: from('[2001:db8::5]') }).connected;
    await expect(refused).rejects.toMatchObject({
      data: { code: 'rate_limited', detail: 'Too many sockets are connected.' },
    });
    expect(await ada.ws(1, { headers: from('[2001:db8::5]') }).closed).toEqual({
      code: 4429,
      reason: 'Too many sockets are connected.',
    });
    await ada.socket({ extraHeaders: from('[2001:db8:0:1::5]') }).connected;
  });

  it('count one address over Socket.IO connections without a namespace', async () => {
    const handshake = (address: string) =>
      t.http.get('/socket.io/?EIO=4&transport=polling', from(`[${address}]`));
    for (let n = 0; n < 20; n++) expect((await handshake(`2001:db8:0:2::${n}`)).status).toBe(200);

    const refused = await handshake('2001:db8:0:2::ff');

    const detail = 'Too many connections.';
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited', detail } });
    expect(refused.headers.get('Retry-After')).toBe('10');
    const head = [
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
      ...['Host: a', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
      ...['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'X-Forwarded-For: 2001:db8:0:2::fe'],
    ];
    expect(await sendRaw(t.url, `${head.join('\r\n')}\r\n\r\n`)).toMatch(/^HTTP\/1.1 429 .*"rate_limited"/s);
    expect((await handshake('2001:db8:0:3::1')).status).toBe(200);
  });
});

const HANDSHAKE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
const SOCKETS = ['/socket.io/?EIO=4&transport=websocket', '/conversations/ws/1'];
const SECURE = [
  'wss',
  'https',
  'HTTPS',
  'WSS',
  ' Wss ',
  '"wss"',
  '"https"',
  'wss, http',
  'https,http',
  ', wss',
];
const PLAIN = ['ws', 'http', 'WS', 'ws, wss', 'http,https', 'on', 'wssx', '', '"', 'httpss', 'constructor'];

describe('X-Forwarded-Proto in production', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp({ env: { NODE_ENV: 'production', TRUST_PROXY: 'loopback' } });
  });
  afterAll(() => t?.stop());

  const statuses = async (proto: string) => {
    const answers = [(await t.http.get('/openapi.json', { 'X-Forwarded-Proto': proto })).status];
    for (const path of SOCKETS) {
      const head = [`GET ${path} HTTP/1.1`, 'Host: a', `X-Forwarded-Proto: ${proto}`];
      answers.push(await statusOfHandshake(t, head));
    }
    return answers;
  };

  it.each(SECURE)('%j is HTTPS, for requests and both kinds of sockets', async (proto) => {
    expect(await statuses(proto)).toEqual([200, 101, 101]);
  });

  it.each(PLAIN)('%j is plain HTTP', async (proto) => {
    expect(await statuses(proto)).toEqual([403, 403, 403]);
  });
});

/** Sends a handshake and closes the connection. @returns the status */
async function statusOfHandshake(t: TestApp, head: string[]): Promise<number> {
  const answer = await sendRaw(t.url, [...head, ...HANDSHAKE, '', ''].join('\r\n'), undefined, {
    until: /\r\n\r\n/,
  });
  return Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1]);
}

describe('the server’s own origin behind a trusted proxy', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp({ env: { TRUST_PROXY: 'loopback' } });
  });
  afterAll(() => t?.stop());

  const HTTPS = 'https://chat.example.com';
  const OWN: [origin: string, proto: string, host: string][] = [
    [HTTPS, 'wss', 'chat.example.com'],
    [HTTPS, 'https', 'chat.example.com:443'],
    [HTTPS, 'WSS', 'Chat.Example.COM:443'],
    [HTTPS, 'wss, http', 'chat.example.com, internal:3000'],
    [HTTPS, 'https', '"chat.example.com"'],
    ['HTTPS://Chat.Example.com', 'https', 'chat.example.com'],
    ['https://chat.example.com:8443', 'wss', 'chat.example.com:8443'],
    ['http://chat.example.com', 'ws', 'chat.example.com:80'],
    ['http://[2001:db8::5]', 'http', '[2001:DB8::5]:80'],
  ];
  const FOREIGN: typeof OWN = [
    ['http://chat.example.com', 'wss', 'chat.example.com'],
    [HTTPS, 'ws', 'chat.example.com'],
    [HTTPS, 'https', 'chat.example.com:80'],
    [HTTPS, 'https', 'chat.example.com:4430'],
    ['http://chat.example.com', 'http', 'chat.example.com:443'],
    [HTTPS, 'wss', 'evil.example.com, chat.example.com'],
    ['null', 'wss', 'chat.example.com'],
  ];

  const seen = async ([origin, proto, host]: (typeof OWN)[number]) => {
    const headers = { Origin: origin, 'X-Forwarded-Proto': proto, 'X-Forwarded-Host': host };
    const allowed = (await t.http.get('/health/live', headers)).headers.get('Access-Control-Allow-Origin');
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const sockets = SOCKETS.map((path) =>
      statusOfHandshake(t, [`GET ${path} HTTP/1.1`, 'Host: a', ...lines]),
    );
    return [allowed, ...(await Promise.all(sockets))];
  };

  it.each(OWN)('is %s if %s and %s are forwarded', async (...forwarded) => {
    expect(await seen(forwarded)).toEqual([forwarded[0], 101, 101]);
  });

  it.each(FOREIGN)('is not %s if %s and %s are forwarded', async (...forwarded) => {
    expect(await seen(forwarded)).toEqual([null, 403, 403]);
  });

  it('is the Host header’s if none is forwarded', async () => {
    const head = ['GET /conversations/ws/1 HTTP/1.1', 'Host: Chat.Example.com:80'];

    expect(await statusOfHandshake(t, [...head, 'Origin: http://chat.example.com'])).toBe(101);
    expect(await statusOfHandshake(t, [...head, 'Origin: http://other.example.com'])).toBe(403);
  });
});
