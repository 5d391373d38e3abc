/** Allowed and refused origins over HTTP and sockets, and their log lines. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { LogLines } from '../support/app/log-lines.js';
import { sendRaw } from '../support/clients/raw.js';

const PUBLIC_URL = 'https://chat.example.com/chat-api';
const APPS = ['capacitor://localhost', 'ionic://localhost', 'tauri://localhost:1430', 'app://.'];
const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
const SOCKET_IO = '/socket.io/?EIO=4&transport=websocket';

let t: TestApp;
let log: LogLines;
const start = async (env: Record<string, string>) => {
  log = new LogLines();
  t = await startTestApp({ env, log });
};
const stop = () => t?.stop();

/** @returns the status line and headers only, because the server may keep the connection open */
const upgrade = (path: string, ...headers: string[]) =>
  sendRaw(t.url, [`GET ${path} HTTP/1.1`, ...headers, ...UPGRADE, '', ''].join('\r\n'), undefined, {
    until: /\r\n\r\n/,
  });

const poll = (origin: string) =>
  t.http.get('/socket.io/?EIO=4&transport=polling', { Origin: origin }).then(({ status }) => status);

const readableBy = async (origin: string) =>
  (await t.http.get('/health/live', { Origin: origin })).headers.get('Access-Control-Allow-Origin');

const warnings = () => log.filter(({ level, context }) => level === 'warn' && context === 'Edge');

describe('an origin', () => {
  beforeAll(() => start({ PUBLIC_URL, CORS_ORIGINS: APPS.join(',') }));
  afterAll(stop);

  const accepted = ['https://chat.example.com', ...APPS];
  const refused = [
    'null',
    'http://chat.example.com',
    'https://chat.example.com:8443',
    'https://chat.example.com.evil.com',
    'https://chat.example.com/chat-api',
    'capacitor://localhost:1430',
    'capacitor://localhost/',
    'Ionic://localhost',
    'tauri://localhost',
    'app://',
    'file://',
    'http://undefined',
  ];

  it.each(accepted)('is accepted over HTTP and every socket: %s', async (origin) => {
    expect(await readableBy(origin)).toBe(origin);
    expect(await poll(origin)).toBe(200);
    // Without a Host header only PUBLIC_URL identifies the server's own origin.
    for (const path of [SOCKET_IO, '/conversations/ws/1']) {
      expect(await upgrade(path, `Origin: ${origin}`)).toMatch(/^HTTP\/1.1 101 /);
      expect(await upgrade(path, `Origin: ${origin}`, 'Host: parley:3000')).toMatch(/^HTTP\/1.1 101 /);
    }
  });

  it.each(refused)('is refused, and logged once with the setting to change: %s', async (origin) => {
    expect(await readableBy(origin)).toBeNull();
    expect(await poll(origin)).toBe(403);
    for (const path of [SOCKET_IO, '/conversations/ws/1']) {
      expect(await upgrade(path, `Origin: ${origin}`)).toMatch(/^HTTP\/1.1 403 /);
    }

    const shown = /^null$|^\w+:\/\/[^/]+$/.test(origin) ? origin : '(malformed)';
    const lines = warnings().filter((line) => line.origin === shown);
    expect(lines).toEqual([
      expect.objectContaining({
        own: expect.stringMatching(/^http:\/\/./),
        msg: 'A request from another origin was refused. Add the origin to CORS_ORIGINS if it is an app of yours; if this server is reached there, set PUBLIC_URL.',
      }),
    ]);
  });

  it('has its socket URLs in the content security policy, for any Host header', async () => {
    const { headers } = await t.http.get('/');

    expect(headers.get('Content-Security-Policy')).toContain(' wss://chat.example.com;');
  });

  it('beyond the limit is neither remembered nor logged', async () => {
    for (let n = 0; n < 300; n++) await readableBy(`https://a${n}.evil.example`);

    const lines = warnings();
    expect(lines).toHaveLength(100);
    expect(lines.at(-1)!.msg).toMatch(/ Further ones like this are not logged\.$/);
    expect(lines.at(-2)!.msg).not.toContain('not logged');
  });
});

describe('the log', () => {
  beforeAll(() => start({ NODE_ENV: 'production', TRUST_PROXY: '10.0.0.0/8' }));
  afterAll(stop);

  it('states once for all transports why plain HTTP is refused', async () => {
    await t.http.get('/auth/me');
    await t.http.get('/socket.io/?EIO=4&transport=polling');
    for (const path of [SOCKET_IO, '/conversations/ws/1']) await upgrade(path, 'Host: a');

    const lines = warnings().filter(({ msg }) => String(msg).includes('https_required'));
    expect(lines).toEqual([
      expect.objectContaining({
        peer: '127.0.0.1',
        msg: 'Plain HTTP was refused (https_required). A proxy that terminates TLS must send X-Forwarded-Proto and be named in TRUST_PROXY.',
      }),
    ]);
  });
});

describe.each([
  [
    'HTTP',
    (headers: string[]) => sendRaw(t.url, ['GET /health/live HTTP/1.0', ...headers, '', ''].join('\r\n')),
  ],
  ['Socket.IO', (headers: string[]) => upgrade(SOCKET_IO, ...headers)],
  ['WebSocket', (headers: string[]) => upgrade('/conversations/ws/1', ...headers)],
])('an untrusted proxy, over %s', (_transport, request) => {
  beforeAll(() => start({ TRUST_PROXY: '10.0.0.0/8' }));
  afterAll(stop);

  it('is logged once with its headers and the setting to change', async () => {
    await request([]);
    expect(warnings()).toEqual([]);

    for (const address of ['203.0.113.1', '203.0.113.2']) {
      await request([`X-Forwarded-For: ${address}`, 'X-Forwarded-Proto: https']);
    }

    expect(warnings()).toEqual([
      expect.objectContaining({
        peer: '127.0.0.1',
        msg: 'Ignored X-Forwarded-For, X-Forwarded-Proto of a peer that TRUST_PROXY does not name. Name it there if it is a proxy of yours: otherwise its address counts as the address of all its clients.',
      }),
    ]);
    expect(log.text).not.toContain('203.0.113');
  });
});

describe('a trusted proxy', () => {
  beforeAll(() => start({ TRUST_PROXY: 'loopback' }));
  afterAll(stop);

  it('causes no warning', async () => {
    const { status } = await t.http.get('/health/live', { 'X-Forwarded-For': '203.0.113.1' });

    expect([status, warnings()]).toEqual([200, []]);
  });
});
