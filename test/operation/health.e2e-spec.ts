import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { DataSource } from 'typeorm';
import { Draining } from '../../src/common/lifecycle/draining.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { onMysql } from '../support/infrastructure/database.js';
import { until } from '../support/infrastructure/until.js';
import { TcpProxy } from '../support/infrastructure/tcp-proxy.js';

const NOT_READY = { code: 'not_ready', parts: { database: 'down', files: 'up' } };

describe('health', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.01' } });
  });
  afterAll(() => t?.stop());

  it('reports liveness and each part’s readiness, without token or rate limit', async () => {
    for (let round = 0; round < 20; round++) {
      expect(await t.http.get('/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } });
      expect(await t.http.get('/health/ready')).toMatchObject({
        status: 200,
        body: { status: 'ok', parts: { database: 'up', files: 'up' } },
      });
    }
  });

  it('is not ready while the server drains, and stays live', async () => {
    t.app.get(Draining).begin();

    const { status, headers, body } = await t.http.get('/health/ready');
    expect([status, body.code]).toEqual([503, 'draining']);
    expect(Number(headers.get('Retry-After'))).toBeGreaterThan(0);
    expect((await t.http.get('/health/live')).status).toBe(200);
    await t.restart();
  });

  it('is not ready without the database, naming the part but no cause', async () => {
    const dataSource = t.app.get(DataSource);
    await dataSource.destroy();

    const { status, headers, body } = await t.http.get('/health/ready');
    expect(status).toBe(503);
    expect(body).toMatchObject(NOT_READY);
    expect(Object.keys(body).sort()).toEqual(
      ['code', 'detail', 'instance', 'parts', 'request_id', 'status', 'title', 'type'].sort(),
    );
    expect(headers.get('Retry-After')).toBe('5');
    expect((await t.http.get('/health/live')).status).toBe(200);

    await dataSource.initialize();
    expect((await t.http.get('/health/ready')).status).toBe(200);
  });
});

describe('health, with Redis', () => {
  let t: TestApp;
  let proxy: TcpProxy | undefined;
  afterEach(async () => {
    await t.stop();
    await proxy?.close();
    proxy = undefined;
  });

  it('is ready but degraded without Redis, answered within a second', async () => {
    t = await startTestApp({ env: { REDIS_URL: 'redis://127.0.0.1:1' } });

    const startedAt = performance.now();
    expect(await t.http.get('/health/ready')).toMatchObject({
      status: 200,
      body: { status: 'ok', parts: { database: 'up', files: 'up', redis: 'degraded' } },
    });
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it('starts and is ready while Redis accepts connections without answering', async () => {
    proxy = await TcpProxy.start('127.0.0.1', 1);
    await proxy.hang();
    t = await startTestApp({ env: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` } });

    expect(await t.http.get('/health/ready')).toMatchObject({
      status: 200,
      body: { parts: { database: 'up', files: 'up', redis: 'degraded' } },
    });
  });

  const redisUrl = process.env.TEST_REDIS_URL;
  if (redisUrl) {
    it('recovers with Redis even if old connections never close', async () => {
      const { hostname, port } = new URL(redisUrl);
      proxy = await TcpProxy.start(hostname, Number(port));
      t = await startTestApp({ env: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` } });
      const redis = async () => (await t.http.get('/health/ready')).body.parts as { redis: string };
      await until(async () => (await redis()).redis === 'up');
      const mend = await proxy.lose();
      expect(await redis()).toMatchObject({ redis: 'degraded' });

      await mend();

      await until(async () => (await redis()).redis === 'up', 20_000);
    }, 30_000);

    it('is ready with Redis up', async () => {
      t = await startTestApp({ env: { REDIS_URL: redisUrl } });

      expect(await t.http.get('/health/ready')).toMatchObject({
        status: 200,
        body: { parts: { database: 'up', files: 'up', redis: 'up' } },
      });
    });
  }
});

/** Proxy to the database server that can stop forwarding without closing. */
class Wire {
  private readonly sockets = new Set<Socket>();
  private constructor(private readonly server: Server) {}

  static async to(target: URL): Promise<Wire> {
    const server = createServer();
    const wire = new Wire(server);
    server.on('connection', (near) => {
      const far = connect(Number(target.port || 3306), target.hostname);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        wire.sockets.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get port(): string {
    return String((this.server.address() as AddressInfo).port);
  }

  fallSilent(): void {
    for (const socket of this.sockets) socket.unpipe().pause();
    this.server.removeAllListeners('connection').on('connection', (socket) => this.sockets.add(socket));
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

onMysql('health, with a database that stops answering', () => {
  it('is answered in time', async () => {
    const t = await startTestApp();
    const wire = await Wire.to(new URL(t.settings.databaseUrl.replace(/^mariadb:/, 'mysql:')));
    const url = t.settings.databaseUrl.replace(/(\/\/[^/]*?)(:\d+)?\//, `$1:${wire.port}/`);
    const behindWire = await startTestApp({ env: { DATABASE_URL: url } });
    try {
      expect((await behindWire.http.get('/health/ready')).status).toBe(200);
      wire.fallSilent();

      const startedAt = performance.now();
      expect(await behindWire.http.get('/health/ready')).toMatchObject({ status: 503, body: NOT_READY });
      expect(performance.now() - startedAt).toBeLessThan(2500);
      expect((await behindWire.http.get('/health/live')).status).toBe(200);
    } finally {
      wire.close();
      await behindWire.stop();
      await t.stop();
    }
  });
});
