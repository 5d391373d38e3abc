import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SLOW_BODY } from '../../src/common/http/server/slow-body.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { RawConnection, sendRaw } from '../support/clients/raw.js';
import { until } from '../support/infrastructure/until.js';

const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '',
].join('\r\n');

let t: TestApp;
beforeAll(async () => {
  t = await startTestApp({ env: { CORS_ORIGINS: 'https://app.example.com' } });
});
afterAll(() => t?.stop());

describe('problems', () => {
  it('are RFC 9457 documents that name the request', async () => {
    const { status, headers, body } = await t.http.get('/nowhere');

    expect(status).toBe(404);
    expect(headers.get('Content-Type')).toMatch(/^application\/problem\+json/);
    expect(body).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: expect.any(String),
      instance: '/nowhere',
      code: 'not_found',
      request_id: headers.get('X-Request-Id'),
    });
  });

  it('list the methods of a known path', async () => {
    const { status, headers, body } = await t.http.request('PUT', '/auth/login');

    expect([status, body.code]).toEqual([405, 'method_not_allowed']);
    expect(headers.get('Allow')).toBe('OPTIONS, POST');
  });

  it.each(['GET', 'DELETE', 'PATCH'])(
    'refuse %s on a POST-only path before requiring a token',
    async (method) => {
      expect(await t.http.request(method, '/conversations/1/stop')).toMatchObject({ status: 405 });
    },
  );

  it.each([
    ['/', 'GET, HEAD, OPTIONS'],
    ['/app.js', 'GET, HEAD, OPTIONS'],
    ['/health/live', 'GET, HEAD, OPTIONS'],
    ['/auth/login', 'OPTIONS, POST'],
    ['/docs', 'GET, HEAD, OPTIONS'],
    ['/docs/swagger-ui.css', 'GET, HEAD, OPTIONS, POST'],
    ['/socket.io/?EIO=4&transport=polling', 'GET, HEAD, OPTIONS, POST'],
    ['/socket.io/socket.io.esm.min.js', 'GET, HEAD, OPTIONS, POST'],
    ['/nowhere', 'GET, HEAD, OPTIONS, POST'],
  ])('refuse TRACE %s without echoing the request', async (path, allow) => {
    const request = `TRACE ${path} HTTP/1.1\r\nHost: a\r\nX-Secret: reflected\r\nConnection: close\r\n\r\n`;
    const answer = await sendRaw(t.url, request);

    expect(answer).toMatch(/^HTTP\/1.1 405 /);
    expect(answer).toContain(`\r\nAllow: ${allow}\r\n`);
    expect(answer).toContain('"method_not_allowed"');
    expect(answer).not.toContain('reflected');
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH'])('refuse %s on the page and its files', async (method) => {
    for (const path of ['/', '/index.html', '/app.js'])
      expect(await t.http.request(method, path)).toMatchObject({
        status: 405,
        body: { code: 'method_not_allowed' },
      });
  });

  it('answer OPTIONS and HEAD', async () => {
    const options = await t.http.request('OPTIONS', '/health/live');

    expect([options.status, options.headers.get('Allow')]).toEqual([204, 'GET, HEAD, OPTIONS']);
    expect(await t.http.request('HEAD', '/health/live')).toMatchObject({ status: 200, body: '' });
  });

  it('answer 400 for a malformed path encoding', async () => {
    expect(await t.http.get('/conversations/%FF')).toMatchObject({
      status: 400,
      body: { code: 'bad_request' },
    });
  });
});

describe('request ids', () => {
  it('are taken from the client if valid', async () => {
    const { headers } = await t.http.get('/health/live', { 'X-Request-Id': 'mobile-42.a_b' });

    expect(headers.get('X-Request-Id')).toBe('mobile-42.a_b');
  });

  it.each(['short', 'x'.repeat(65), 'with space', '{"a":1}', 'ünïcödé!'])(
    'are generated for %j',
    async (id) => {
      const { headers } = await t.http.get('/health/live', {
        'X-Request-Id': encodeURI(id).replaceAll('%20', ' '),
      });

      expect(headers.get('X-Request-Id')).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    },
  );
});

describe('headers', () => {
  it('protect every response, and do not name the server software', async () => {
    for (const path of ['/health/live', '/nowhere', '/', '/docs']) {
      const { headers } = await t.http.get(path);

      expect(headers.get('X-Powered-By')).toBeNull();
      expect(headers.get('X-Content-Type-Options')).toBe('nosniff');
      expect(headers.get('X-Frame-Options')).toBe('DENY');
      expect(headers.get('Content-Security-Policy')).toMatch(/^default-src 'self';/);
      expect(headers.get('Strict-Transport-Security')).toBeNull();
    }
  });

  it.each([
    '/vendor/',
    '/..%2f..%2fpackage.json',
    '/.env',
    '/%2e%2e/package.json',
    '/app.js/',
    '/api.js%00.html',
  ])('are sent for public files only, not for a folder or hidden file: %s', async (path) => {
    expect([400, 404]).toContain((await t.http.get(path)).status);
  });

  it('keep API responses out of every cache', async () => {
    const { headers } = await t.http.get('/auth/me');

    expect(headers.get('Cache-Control')).toBe('no-store');
    expect(headers.get('ETag')).toBeNull();
  });

  it('allow only the server’s own scripts, and inline styles for Swagger UI alone', async () => {
    const policyOf = async (path: string) => (await t.http.get(path)).headers.get('Content-Security-Policy');

    expect(await policyOf('/')).not.toContain('unsafe');
    expect(await policyOf('/docsx')).not.toContain('unsafe');
    expect((await policyOf('/docs'))?.split(';').filter((part) => part.includes('unsafe'))).toEqual([
      "style-src 'self' 'unsafe-inline'",
    ]);
  });

  it('let the page open sockets to its own host, and ignore a forged Host header', async () => {
    const policyFor = async (host: string) =>
      /Content-Security-Policy: (.*)\r\n/.exec(
        await sendRaw(t.url, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
      )?.[1];

    expect(await policyFor('chat.example.com')).toContain('ws://chat.example.com wss://chat.example.com;');
    expect(await policyFor("a; script-src 'unsafe-inline'")).not.toMatch(/unsafe/);
  });
});

/** Origins that resemble the allowed one. */
const TWINS = [
  'null',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://app.example.com.evil.com',
  'https://evilapp.example.com',
  'https://sub.app.example.com',
  'https://APP.example.com',
  'https://app.example.com/',
];

describe('CORS', () => {
  const from = (origin: string, method = 'GET', headers = {}) =>
    t.http.request(method, '/health/live', undefined, { Origin: origin, ...headers });

  it('lets a listed origin read responses and headers', async () => {
    const { headers } = await from('https://app.example.com');

    expect(headers.get('Access-Control-Allow-Origin')).toBe('https://app.example.com');
    expect(headers.get('Access-Control-Allow-Credentials')).toBeNull();
    expect(headers.get('Access-Control-Expose-Headers')).toBe(
      'X-Request-Id,Retry-After,RateLimit-Limit,RateLimit-Remaining,RateLimit-Reset',
    );
    expect(headers.get('Vary')).toBe('Origin');
  });

  it('lets the server’s own origin read responses', async () => {
    expect((await from(t.url)).headers.get('Access-Control-Allow-Origin')).toBe(t.url);
  });

  it('answers the preflight of a listed origin', async () => {
    const { status, headers } = await from('https://app.example.com', 'OPTIONS', {
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization,content-type',
    });

    expect(status).toBe(204);
    expect(headers.get('Access-Control-Allow-Origin')).toBe('https://app.example.com');
    expect(headers.get('Access-Control-Allow-Methods')).toContain('POST');
    expect(headers.get('Access-Control-Allow-Headers')).toContain('Authorization');
    expect(headers.get('Vary')).toContain('Origin');
  });

  it.each(TWINS)('sends no CORS headers to %s, in a preflight neither', async (origin) => {
    for (const method of ['GET', 'OPTIONS']) {
      const { headers } = await from(origin, method, { 'Access-Control-Request-Method': 'POST' });

      expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
      expect(headers.get('Vary')).toContain('Origin');
    }
  });
});

describe('slow senders', () => {
  it.each([
    ['headers', 'GET /health/live HTTP/1.1\r\nHost: a\r\nX-Slow: '],
    [
      'a body',
      'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    ],
  ])('of %s are disconnected', async (_what, bytes) => {
    Object.assign(t.app.getHttpServer(), { headersTimeout: 100, requestTimeout: 100 });

    expect(await sendRaw(t.url, bytes)).toMatch(/^HTTP\/1.1 408 .*"The request took too long\."/s);
  });

  it('of oversize headers are refused', async () => {
    const bytes = `GET / HTTP/1.1\r\nHost: a\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`;

    expect(await sendRaw(t.url, bytes)).toMatch(/^HTTP\/1.1 431 .*"The headers are too large\."/s);
  });
});

describe('slow uploads', () => {
  const JSON_BODY =
    'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{';
  const START =
    '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\na';
  const { ...limits } = SLOW_BODY;
  let user: TestUser;
  beforeAll(async () => (user = await t.user().create()));
  afterEach(() => void Object.assign(SLOW_BODY, limits));

  /** Sends a request of 1 KiB without the end of its body. */
  function startUpload({ authorization = `Bearer ${user.tokens.access_token}` } = {}): RawConnection {
    const headers = [
      'POST /files HTTP/1.1',
      'Host: a',
      `Authorization: ${authorization}`,
      'Content-Type: multipart/form-data; boundary=x',
      'Content-Length: 1024',
    ];
    return new RawConnection(t.url).send(`${headers.join('\r\n')}\r\n\r\n${START}`);
  }

  const filesOf = async () => (await user.get('/files')).body.total;
  const temporaryFiles = () => readdirSync(join(t.settings.dataDir, 'uploads'));

  it('are received, for longer than other bodies', async () => {
    Object.assign(t.app.getHttpServer(), { requestTimeout: 100 });
    const [upload, unauthenticated] = [startUpload(), startUpload({ authorization: 'Bearer x' })];

    expect(await sendRaw(t.url, JSON_BODY)).toMatch(/^HTTP\/1.1 408 /);
    expect(await unauthenticated.end()).toMatch(/^HTTP\/1.1 401 /);
    const end = '\r\n--x--\r\n';
    upload.send('a'.repeat(1024 - START.length - end.length) + end);
    expect(await upload.until(/"name":"a.txt"/)).toMatch(/^HTTP\/1.1 201 /);
  });

  it.each<[string, Partial<typeof SLOW_BODY>]>([
    ['30 s without a byte', { idleMs: 100 }],
    ['10 minutes', { totalMs: 300 }],
  ])('end after %s, and leave nothing', async (_limit, shortened) => {
    const before = await filesOf();
    Object.assign(SLOW_BODY, shortened);
    const upload = startUpload();
    const timer = setInterval(() => shortened.totalMs && upload.send('a'), 50);

    expect(await upload.end()).toMatch(/^HTTP\/1.1 408 /);
    clearInterval(timer);
    expect(await filesOf()).toBe(before);
    await until(() => temporaryFiles().length === 0);
  });
});

describe('upgrades', () => {
  it.each(['//', '/nowhere', '/conversations/ws/', '/socket.io', '*', 'http://[', '/%FF'])(
    'to %s, which has no socket, are refused, and the server keeps running',
    async (path) => {
      const bytes = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;

      expect(await sendRaw(t.url, bytes)).toMatch(/^HTTP\/1.1 404 /);
      expect((await t.http.get('/health/live')).status).toBe(200);
    },
  );

  it.each(['/socket.io/?EIO=4&transport=websocket', '/conversations/ws/1'])(
    'to %s from an origin that is not allowed are refused',
    async (path) => {
      const upgradeFrom = (origin: string) =>
        sendRaw(t.url, `GET ${path} HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\n${UPGRADE}\r\n`);

      for (const origin of TWINS) {
        expect(await upgradeFrom(origin)).toMatch(
          /^HTTP\/1.1 403 .*"This origin is not allowed\.","code":"origin_forbidden"/s,
        );
      }
    },
  );

  it('of Socket.IO 2 are answered with an unsupported protocol version', async () => {
    expect(await t.http.get('/socket.io/?EIO=3&transport=polling')).toMatchObject({
      status: 400,
      body: { message: 'Unsupported protocol version' },
    });
    const upgrade = `GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: a\r\n${UPGRADE}\r\n`;
    expect(await sendRaw(t.url, upgrade)).toMatch(/^HTTP\/1.1 400 .*Unsupported protocol version/s);
  });

  it('of Socket.IO by polling vary by origin, for caches too', async () => {
    const poll = (origin: string) => t.http.get('/socket.io/?EIO=4&transport=polling', { Origin: origin });

    const allowed = await poll('https://app.example.com');
    expect([allowed.status, allowed.headers.get('Vary')]).toEqual([200, 'Origin']);
    expect(allowed.headers.get('Access-Control-Allow-Origin')).toBe('https://app.example.com');
    for (const origin of TWINS) {
      const refused = await poll(origin);
      expect([refused.status, refused.headers.get('Access-Control-Allow-Origin')]).toEqual([403, null]);
    }
  });
});
