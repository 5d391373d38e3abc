/** Databases that can be read but not written: full or read-only files, failover, backup. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createConnection } from 'mysql2/promise';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { Node } from '../../src/chat/replies/recovery/node.entity.js';
import { RecoveryPace } from '../../src/chat/replies/recovery/recovery-pace.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { onSqlite } from '../support/infrastructure/database.js';
import { textOf } from '../support/clients/events.js';
import { SOON_MS, testOutage } from '../support/infrastructure/outage.js';
import { onOwnServer, OWN_SERVER_MS, OwnServer } from '../support/infrastructure/own-server.js';
import { until } from '../support/infrastructure/until.js';
import { gate } from '../support/provider/provider.js';

const LEASE_MS = new RecoveryPace().leaseMs;

describe('reads', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp();
  });
  afterAll(() => t.stop());

  it('are answered while writes get 503 and Retry-After', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();
    const allow = await forbidWrites(t);
    const reads = ['/auth/me', '/conversations', `/conversations/${id}`, '/auth/config', '/auth/sessions'];
    const writes: [path: string, body?: object][] = [
      ['/conversations/create', {}],
      [`/conversations/${id}/update`, { title: 'Changed' }],
      [`/conversations/${id}/delete`],
      [`/conversations/${id}/chat`, { content: 'Hi' }],
      [`/auth/config/${ada.configId}/update`, { name: 'Changed' }],
      ['/auth/me/username', { username: `${ada.username}x` }],
      ['/auth/login', { email: ada.email, password: ada.password }],
      ['/auth/refresh', { refresh_token: ada.tokens.refresh_token }],
      ['/auth/logout'],
    ];
    const read = await Promise.all(reads.map((path) => ada.get(path)));
    const written = await Promise.all(writes.map(([path, body]) => ada.post(path, body)));
    await allow();

    expect(read.map(({ status }) => status)).toEqual(reads.map(() => 200));
    expect(written.map(({ status, body }) => [status, body.code])).toEqual(
      writes.map(() => [503, 'database_unavailable']),
    );
    expect(written.filter(({ headers }) => !(Number(headers.get('Retry-After')) > 0))).toEqual([]);
    expect(await ada.send(id, 'Hi')).toMatchObject({ status: 200 });
  });
});

/** Makes every connection of the app read-only. @returns a function that allows writes again */
async function forbidWrites({ app, settings }: TestApp): Promise<() => Promise<unknown>> {
  const database = app.get(DataSource);
  if (settings.databaseUrl.startsWith('sqlite:')) {
    await database.query('PRAGMA query_only = 1');
    return () => database.query('PRAGMA query_only = 0');
  }
  const tables = database.entityMetadatas.map(({ tableName }) => tableName);
  const each = (statement: (table: string, event: string) => string) =>
    Promise.all(
      tables.flatMap((table) =>
        ['INSERT', 'UPDATE', 'DELETE'].map((event) => database.query(statement(table, event))),
      ),
    );
  await each(
    (table, event) =>
      `CREATE TRIGGER ${table}_${event} BEFORE ${event} ON ${table} FOR EACH ROW
       SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290`,
  );
  return () => each((table, event) => `DROP TRIGGER ${table}_${event}`);
}

onSqlite('a read-only SQLite file', () => {
  testOutage(async () => {
    const t = await startTestApp();
    return { t, makeUnavailable: () => forbidWrites(t), stop: () => t.stop() };
  });
});

onOwnServer('a database server', () => {
  let server: OwnServer;
  const globals = (on: 0 | 1) => async () => {
    await server.query(`SET GLOBAL super_read_only = ${on}`);
    await server.query(`SET GLOBAL read_only = ${on}`);
  };
  const schema = (on: 0 | 1) => () => server.query(`ALTER SCHEMA parley READ ONLY = ${on}`);
  const ways: [way: string, takeAway: () => Promise<() => unknown>][] = [
    ['that is killed', async () => (await server.kill(), () => server.up())],
  ];
  const mysqlOnly: typeof ways = [
    ['that is read-only', async () => (await globals(1)(), globals(0))],
    ['with a read-only schema', async () => (await schema(1)(), schema(0))],
  ];

  beforeAll(async () => {
    server = await OwnServer.start();
  }, OWN_SERVER_MS);
  afterAll(() => server.stop());

  // MariaDB's test server runs without privileges, so that read_only does not apply to its root.
  const isMariadb = process.env.TEST_MYSQL_URL?.startsWith('mariadb:');
  describe.each(isMariadb ? ways : [...ways, ...mysqlOnly])('%s', (_way, takeAway) => {
    testOutage(async () => {
      await server.query('DROP DATABASE IF EXISTS parley');
      const t = await startTestApp({ env: { DATABASE_URL: await server.createDatabase('parley') } });
      return { t, makeUnavailable: takeAway, stop: () => t.stop() };
    }, OWN_SERVER_MS);
  });

  it('that a backup has locked refuses soon, and accepts messages afterwards', async () => {
    await server.query('DROP DATABASE IF EXISTS parley');
    const t = await startTestApp({ env: { DATABASE_URL: await server.createDatabase('parley') } });
    const ada = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();
    const unlock = await lockForBackup(server);
    const since = Date.now();
    const refused = await Promise.all([ada.send(id, 'Hi'), t.http.get('/health/ready')]);
    const waited = Date.now() - since;
    await unlock();

    expect(refused).toMatchObject([{ status: 503, body: { code: 'database_unavailable' } }, { status: 503 }]);
    expect(waited).toBeLessThan(SOON_MS);
    expect((await ada.send(id, 'Hi')).status).toBe(200);
    await t.stop();
  });

  // MariaDB's test server runs without privileges, so that read_only does not apply to its root.
  if (isMariadb) return;

  it(
    'that is read-only for longer than the lease does not interrupt replies of a live node',
    async () => {
      await server.query('DROP DATABASE IF EXISTS parley');
      const one = await startTestApp({ env: { DATABASE_URL: await server.createDatabase('parley') } });
      const two = await one.startNode();
      const ada = await one.user().withConfig(one.provider).create();
      const held = gate();
      const started = await Promise.all(
        [one, two].map(async (node) => {
          const { id } = await ada.createConversation();
          one.provider.willStream('Before ', held, 'and after.');
          const sse = await ada.on(node).sse(`/conversations/${id}/chat`, { content: 'Hi' });
          await sse.until(() => textOf(sse.events) === 'Before ');
          return { id, sse };
        }),
      );

      await globals(1)();
      await delay(LEASE_MS + 1500);
      await globals(0)();
      // Each heartbeat, once a second, searches for dead nodes.
      await beats(one, LEASE_MS / 1000 + 2);
      held.open();

      for (const { id, sse } of started) {
        await sse.until(({ type }) => type === 'message.completed');
        expect((await ada.history(id))[1]).toMatchObject({
          status: 'complete',
          content: 'Before and after.',
        });
      }
      await two.stop();
      await one.stop();
    },
    OWN_SERVER_MS,
  );
});

/** Waits until every node has stored `count` more heartbeats. */
async function beats({ manager }: TestApp, count: number): Promise<void> {
  const before = new Map((await manager.find(Node)).map(({ id, beat }) => [id, Number(beat)]));
  const isDue = async () =>
    (await manager.find(Node)).every(({ id, beat }) => Number(beat) - (before.get(id) ?? 0) >= count);
  await until(isDue, 30_000);
}

/** Locks the database as `mysqldump --lock-all-tables` does. */
async function lockForBackup(server: OwnServer): Promise<() => Promise<void>> {
  const backup = await createConnection(server.url('parley').replace(/^mariadb:/, 'mysql:'));
  await backup.query('FLUSH TABLES WITH READ LOCK');
  return () => backup.end();
}
