/** Server-side request forgery by model_url, in every spelling. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { DataSource, In } from 'typeorm';
import { type ResolveHost, RESOLVE_HOST, resolveName } from '../../src/ai/egress/resolve-host.js';
import { ModelConfig } from '../../src/configs/model-config.entity.js';
import { createAdmin } from '../support/app/admin.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { DnsServer } from '../support/infrastructure/dns.js';
import type { Thing } from '../support/clients/http.js';
import type { TestUser } from '../support/app/user.js';

const UNREACHABLE = {
  code: 'upstream_unreachable',
  detail: "The model's address is not allowed or could not be reached.",
};

const HOSTS = [
  // spellings of loopback addresses
  '127.0.0.1',
  '127.1',
  '127.8.8.8',
  '2130706433',
  '0x7f.1',
  '0x7f000001',
  '0177.0.0.1',
  '017700000001',
  '127.0.0.1.',
  '１２７.０.０.１',
  '①②⑦.0.0.1',
  '127。0。0。1',
  '%31%32%37.0.0.1',
  'localhost',
  'LOCALHOST',
  'localhost.',
  'ｌｏｃａｌｈｏｓｔ',
  'api.localhost',
  '0',
  '0.0.0.0',
  // private, CGNAT, link-local, metadata, documentation, benchmark, relay, multicast, reserved, broadcast
  '10.1.2.3',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '100.100.100.200',
  '169.254.169.254',
  '168.63.129.16',
  '192.0.0.192',
  '192.0.2.1',
  '198.51.100.1',
  '203.0.113.1',
  '198.18.0.1',
  '192.88.99.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  // IPv6, and IPv4 embedded in IPv6
  '[::]',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:7f00:1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:0:7f00:1]',
  '[::7f00:1]',
  '[::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b:1::7f00:1]',
  '[2002:7f00:1::]',
  '[2001::1]',
  '[2001:0:7f00:1::]',
  '[2001:db8::1]',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
  '[100::1]',
  '[5f00::1]',
];
const URLS = [
  ...HOSTS.map((host) => `http://${host}:PORT/v1`),
  'file:///etc/passwd',
  'ftp://example.com/v1',
  'gopher://example.com:PORT/v1',
  'javascript:alert(1)',
  'data:text/plain,hello',
  'ws://example.com/v1',
  'http+unix://%2Fvar%2Frun%2Fdocker.sock/v1',
  'https://user:pass@example.com/v1',
  'https://user@example.com/v1',
  'http://example.com:80@127.0.0.1:PORT/v1',
  'http://127.0.0.1:PORT\\@example.com/v1',
  '//127.0.0.1:PORT/v1',
  'http://[::1%25lo]:PORT/v1',
];
/** Names and their DNS records; all but the first two include a public address. */
const ZONE: Record<string, string[]> = {
  'loopback.test': ['127.0.0.1'],
  'loopback6.test': ['::1'],
  'mixed.test': ['8.8.8.8', '127.0.0.1'],
  'families.test': ['8.8.8.8', '::1'],
  'mapped.test': ['2606:4700::1111', '::ffff:127.0.0.1'],
  'metadata.test': ['169.254.169.254', '8.8.8.8'],
  'private.test': ['8.8.8.8', '10.0.0.1', '1.1.1.1'],
  'nat64.test': ['2606:4700::1111', '64:ff9b::7f00:1'],
  'azure.test': ['8.8.8.8', '168.63.129.16'],
};

let t: TestApp;
let ada: TestUser;
let admin: TestUser;
/** Shared by the administrator. */
let sharedId: number;
let dns: DnsServer;
/** Listens on every address of this machine. */
let sink: Server & { port: number; connections: number };

beforeAll(async () => {
  dns = await DnsServer.start((name) => ZONE[name] ?? null);
  sink = await startSink();
  const resolve: ResolveHost = (name, isOurs) =>
    isOurs ? Promise.resolve([{ address: '127.0.0.1', family: 4 }]) : resolveName(name, dns.resolver());
  t = await startTestApp({
    env: { MODEL_URL_ALLOWED_HOSTS: 'provider.test' },
    providers: [[RESOLVE_HOST, resolve]],
  });
  ada = await t
    .user()
    .withConfig(t.provider, { model_url: allowedUrl(t.provider.port) })
    .create();
  admin = await createAdmin(t);
  const shared = { model_url: allowedUrl(t.provider.port), model_name: 'm', api_key: 'sk-test' };
  sharedId = (await admin.post<Thing>('/admin/configs/create', shared)).body.id;
});
afterAll(async () => {
  await t?.stop();
  await dns?.stop();
  sink?.close();
});
beforeEach(() => void (sink.connections = 0));

async function startSink(): Promise<typeof sink> {
  const server = Object.assign(createServer(), { port: 0, connections: 0 });
  server.on('connection', (socket) => {
    server.connections++;
    socket.destroy();
  });
  await once(server.listen(0), 'listening');
  server.port = (server.address() as AddressInfo).port;
  return server;
}

const allowedUrl = (port: number) => `http://provider.test:${port}/v1`;
const atSink = (url: string) => url.replace('PORT', String(sink.port));

/** Writes a URL directly to the database, as an attacker with access might. */
async function plant(modelUrl: string): Promise<void> {
  const { affected } = await t.app
    .get(DataSource)
    .getRepository(ModelConfig)
    .update({ id: In([ada.configId!, sharedId]) }, { modelUrl });
  expect(affected).toBe(2);
}

const tryConfig = () => ada.post<{ ok: boolean; error?: Thing }>(`/auth/config/${ada.configId}/test`);
const tryShared = () => admin.post<{ ok: boolean; error?: Thing }>(`/admin/configs/${sharedId}/test`);
const listModels = () => ada.get(`/auth/config/${ada.configId}/models`);

describe('saving', () => {
  const config = { model_name: 'm', api_key: 'sk-test' };

  it.each(URLS)('refuses %s, naming model_url', async (url) => {
    const refused = {
      status: 422,
      body: {
        code: 'validation_failed',
        errors: [{ field: 'model_url', message: expect.stringMatching(/^(It m|M)ust /) }],
      },
    };
    const body = { ...config, model_url: atSink(url) };

    expect(await ada.post('/auth/config/create', body)).toMatchObject(refused);
    expect(await ada.post(`/auth/config/${ada.configId}/update`, body)).toMatchObject(refused);
    expect(await admin.post('/admin/configs/create', body)).toMatchObject(refused);
    expect(await admin.post(`/admin/configs/${sharedId}/update`, body)).toMatchObject(refused);
    expect((await ada.get<{ total: number }>('/auth/config')).body.total).toBe(2);
  });

  it('sends no DNS query', async () => {
    const before = dns.queries;

    const { status, body } = await ada.post('/auth/config/create', {
      ...config,
      model_url: 'http://loopback.test/v1',
    });
    expect(status).toBe(201);
    expect(dns.queries).toBe(before);
    expect((await ada.post(`/auth/config/${body.id}/delete`)).status).toBe(204);
  });
});

describe('a URL in the database', () => {
  it.each([...URLS, ...Object.keys(ZONE).map((name) => `http://${name}:PORT/v1`)])(
    '%s is not connected to',
    async (url) => {
      await plant(atSink(url));

      expect(await tryConfig()).toMatchObject({ status: 200, body: { ok: false, error: UNREACHABLE } });
      expect(await tryShared()).toMatchObject({ status: 200, body: { ok: false, error: UNREACHABLE } });
      expect(await listModels()).toMatchObject({ status: 502, body: UNREACHABLE });
      expect(sink.connections).toBe(0);
    },
  );

  it.each(['http://127.0.0.1:PORT/v1', 'http://[::ffff:7f00:1]:PORT/v1', 'http://mixed.test:PORT/v1'])(
    '%s receives no chat request',
    async (url) => {
      await plant(atSink(url));
      const { id } = await ada.createConversation();

      expect(await ada.send(id, 'Hi')).toMatchObject({ status: 502, body: UNREACHABLE });
      const { events } = await endOf(await ada.sse(`/conversations/${id}/chat`, { content: 'Again' }));
      expect(events.at(-1)).toMatchObject({
        type: 'message.completed',
        message: { status: 'failed', error: UNREACHABLE },
      });
      expect(sink.connections).toBe(0);
    },
  );
});

async function endOf(stream: Awaited<ReturnType<TestUser['sse']>>) {
  await stream.until(({ type }) => type === 'message.completed');
  return stream;
}

describe('an operator’s exception', () => {
  it('is reached on its port, and on other ports only if listed', async () => {
    await plant(allowedUrl(t.provider.port));

    expect(await tryConfig()).toMatchObject({ body: { ok: true } });
    expect(await listModels()).toMatchObject({ body: { models: ['test-model'] } });
    await plant(t.provider.url);
    expect(await tryConfig()).toMatchObject({ body: { ok: false, error: UNREACHABLE } });
  });

  it.each([301, 302, 303, 307, 308])(
    'that redirects with %i is not followed, not even to itself',
    async (status) => {
      const seen: string[] = [];
      const server = createHttpServer((request, response) => {
        seen.push(request.url!);
        response.writeHead(status, { Location: allowedUrl(t.provider.port) }).end();
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      await plant(allowedUrl((server.address() as AddressInfo).port));
      const before = t.provider.connections;
      const { id } = await ada.createConversation();

      const refused = { code: 'upstream_bad_response' };
      expect(await tryConfig()).toMatchObject({ body: { ok: false, error: refused } });
      expect(await listModels()).toMatchObject({ status: 502, body: refused });
      expect(await ada.send(id, 'Hi')).toMatchObject({ status: 502, body: refused });
      expect(seen).toEqual(['/v1/chat/completions', '/v1/models', '/v1/chat/completions']);
      expect(t.provider.connections).toBe(before);
      server.close();
    },
  );
});

describe('the ports of a private address', () => {
  it('are answered identically if open, closed or filtered, in text and time', async () => {
    const closed = await startSink();
    closed.close();
    const urls = [
      `http://127.0.0.1:${sink.port}`,
      `http://127.0.0.1:${closed.port}`,
      'http://10.255.255.1:81',
    ];
    const times: number[][] = urls.map(() => []);
    for (let i = 0; i < 15; i++) {
      for (const [index, url] of urls.entries()) {
        await plant(url);
        const start = performance.now();
        const { body } = await tryConfig();
        times[index]!.push(performance.now() - start);
        expect(body).toMatchObject({ ok: false, error: UNREACHABLE });
        expect(body.error!.detail).toBe(UNREACHABLE.detail);
      }
    }

    const medians = times.map((each) => each.sort((a, b) => a - b)[7]!);
    expect(Math.max(...medians) - Math.min(...medians)).toBeLessThan(25);
    expect(sink.connections).toBe(0);
  });
});
