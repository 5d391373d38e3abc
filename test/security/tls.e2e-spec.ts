/** Providers over HTTPS, mails over TLS, and the influence of environment variables. Also starts the built server. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpsServer, type Server } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RESOLVE_HOST, type ResolveHost } from '../../src/ai/egress/resolve-host.js';
import { createDataSource } from '../../src/database/data-source.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { onMysql } from '../support/infrastructure/database.js';
import { MailServer } from '../support/infrastructure/mail-server.js';
import { ServerProcess } from '../support/app/server-process.js';
import { type TestUser, UserBuilder } from '../support/app/user.js';

/** A self-signed certificate for `localhost` and `secure.test`. */
const CERTIFICATE = join(import.meta.dirname, '../data/tls/cert.pem');
const KEY = join(import.meta.dirname, '../data/tls/key.pem');
const UNREACHABLE = { ok: false, error: { code: 'upstream_unreachable' } };

let provider: Server & { port: number; servernames: unknown[]; requests: number };
beforeAll(async () => {
  provider = await startProvider();
});
afterAll(() => void provider?.close());

async function startProvider(): Promise<typeof provider> {
  const key = readFileSync(KEY);
  const server = createHttpsServer({ key, cert: readFileSync(CERTIFICATE) }, (_request, response) => {
    own.requests++;
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }] }));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const own = Object.assign(server, { port, servernames: [] as unknown[], requests: 0 });
  server.on('secureConnection', ({ servername }) => own.servernames.push(servername));
  return own;
}

async function tryConfig(user: TestUser, modelUrl: string) {
  const config = { model_url: modelUrl, model_name: 'm', api_key: 'k' };
  const { status, body } = await user.post('/auth/config/create', config);
  expect(status).toBe(201);
  return (await user.post(`/auth/config/${body.id}/test`)).body;
}

describe('an untrusted certificate', () => {
  let t: TestApp;
  beforeAll(async () => {
    const resolve: ResolveHost = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
    t = await startTestApp({
      env: { MODEL_URL_ALLOWED_HOSTS: 'secure.test' },
      providers: [[RESOLVE_HOST, resolve]],
    });
  });
  afterAll(() => t?.stop());

  it('is refused, also on an allowed host', async () => {
    const user = await t.user().create();

    expect(await tryConfig(user, `https://secure.test:${provider.port}/v1`)).toMatchObject(UNREACHABLE);
    expect(provider.requests).toBe(0);
  });
});

describe('the environment of the process', () => {
  let folder: string;
  let server: ServerProcess | undefined;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-tls-'));
  });
  afterEach(() => server?.close());
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function start(env: NodeJS.ProcessEnv): Promise<TestUser> {
    const MODEL_URL_ALLOWED_HOSTS = 'localhost,127.0.0.1';
    server = new ServerProcess(folder, { MODEL_URL_ALLOWED_HOSTS, RATE_LIMIT_SCALE: '0', ...env });
    const url = await server.url();
    return new UserBuilder({ url: () => url, opened: (connection) => connection }).create();
  }

  it('may name trusted authorities (NODE_EXTRA_CA_CERTS), whose certificates are checked by name', async () => {
    const user = await start({ NODE_EXTRA_CA_CERTS: CERTIFICATE });
    provider.servernames.length = 0;

    expect(await tryConfig(user, `https://localhost:${provider.port}/v1`)).toMatchObject({ ok: true });
    expect(provider.servernames).toEqual(['localhost']);
    expect(await tryConfig(user, `https://127.0.0.1:${provider.port}/v1`)).toMatchObject(UNREACHABLE);
    expect(provider.requests).toBe(1);
  });

  it.each(['smtp', 'smtps'])(
    'may name authorities to trust for %s, where mails are sent after a login over TLS',
    async (protocol) => {
      const tls = { key: readFileSync(KEY), cert: readFileSync(CERTIFICATE) };
      const mails = await MailServer.start({ ...tls, secure: protocol === 'smtps', authOptional: false });
      const SMTP_URL = `${protocol}://parley:secret@localhost:${mails.port}`;
      const user = await start({ NODE_EXTRA_CA_CERTS: CERTIFICATE, SMTP_URL });
      await user.post('/auth/email/verification');

      expect(await mails.mailTo(user.email)).toMatchObject({ secure: true, username: 'parley' });
      await server!.close();
      await mails.close();
    },
  );

  it('sends no request through a proxy', async () => {
    let proxied = 0;
    const proxy = createServer((socket) => {
      proxied++;
      socket.destroy();
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]);
    const proxies = Object.fromEntries(names.map((name) => [name, url]));
    const user = await start({
      NODE_EXTRA_CA_CERTS: CERTIFICATE,
      NODE_USE_ENV_PROXY: '1',
      ...proxies,
    });

    expect(await tryConfig(user, `https://localhost:${provider.port}/v1`)).toMatchObject({ ok: true });
    await tryConfig(user, 'http://127.0.0.1:1/v1');
    expect(proxied).toBe(0);
    proxy.close();
  });
});

onMysql('a database over TLS', () => {
  it('is refused without a trusted certificate', async () => {
    const source = createDataSource(`${process.env.TEST_MYSQL_URL}/mysql?ssl=true`, {});

    await expect(source.initialize()).rejects.toThrow(/certificate|secure connection/);
  });
});
