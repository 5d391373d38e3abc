import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { sendRaw } from '../support/clients/raw.js';

describe('production without a trusted proxy', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp({ env: { NODE_ENV: 'production', TRUST_PROXY: '10.0.0.0/8' } });
  });
  afterAll(() => t?.stop());

  it('refuses every plain HTTP request instead of redirecting it', async () => {
    for (const path of ['/', '/docs', '/auth/me', '/nowhere', '/healthy', '/HEALTH/live', '/metrics']) {
      expect(await t.http.get(path)).toMatchObject({ status: 403, body: { code: 'https_required' } });
    }
    expect(await t.http.post('/auth/login', '{')).toMatchObject({
      status: 403,
      body: { code: 'https_required' },
    });
  });

  it('ignores X-Forwarded-Proto of an untrusted peer', async () => {
    const spoofed = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '10.0.0.1', Forwarded: 'proto=https' };

    expect(await t.http.get('/auth/me', spoofed)).toMatchObject({
      status: 403,
      body: { code: 'https_required' },
    });
  });

  it('answers health checks over plain HTTP', async () => {
    expect((await t.http.get('/health/live')).status).toBe(200);
    expect((await t.http.get('/health/ready')).status).toBe(200);
  });

  it('refuses the handshakes of sockets over plain HTTP', async () => {
    const upgrade = [
      'Host: a',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    for (const path of ['/socket.io/?EIO=4&transport=websocket', '/conversations/ws/1']) {
      const answer = await sendRaw(t.url, [`GET ${path} HTTP/1.1`, ...upgrade, '', ''].join('\r\n'));

      expect(answer).toMatch(/^HTTP\/1.1 403 /);
    }
    expect((await t.http.get('/socket.io/?EIO=4&transport=polling')).status).toBe(403);
  });
});

describe('production behind a trusted proxy', () => {
  const https = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '203.0.113.7' };
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp({ env: { NODE_ENV: 'production', TRUST_PROXY: 'loopback' } });
  });
  afterAll(() => t?.stop());

  it('answers HTTPS requests with Strict-Transport-Security', async () => {
    const { status, headers } = await t.http.get('/auth/me', https);

    expect(status).toBe(401);
    expect(headers.get('Strict-Transport-Security')).toBe('max-age=31536000; includeSubDomains');
    expect(headers.get('Content-Security-Policy')).toContain('upgrade-insecure-requests');
  });

  it('refuses requests that came over plain HTTP', async () => {
    const plain = { ...https, 'X-Forwarded-Proto': 'http' };

    expect(await t.http.get('/auth/me', plain)).toMatchObject({
      status: 403,
      body: { code: 'https_required' },
    });
    expect((await t.http.get('/auth/me')).status).toBe(403);
  });

  it('treats the proxy’s origin as its own', async () => {
    const allowed = async (origin: string) => {
      const { headers } = await t.http.get('/auth/me', {
        ...https,
        'X-Forwarded-Host': 'chat.example.com',
        Origin: origin,
      });
      return headers.get('Access-Control-Allow-Origin');
    };

    expect(await allowed('https://chat.example.com')).toBe('https://chat.example.com');
    expect(await allowed('http://chat.example.com')).toBeNull();
  });

  it('has no demo model', async () => {
    expect((await t.http.get('/demo/v1/models', https)).status).toBe(404);
    expect((await t.http.post('/demo/v1/chat/completions', {}, https)).status).toBe(404);
  });
});
