/** Outages of the database during replies. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { DatabaseSync } from '@photostructure/sqlite';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { createTestDatabase, onMysql, onSqlite } from '../support/infrastructure/database.js';
import { within } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { textOf } from '../support/clients/events.js';
import { SOON_MS, testOutage } from '../support/infrastructure/outage.js';
import { startTestNodes, type TestNodes } from '../support/app/process.js';
import { until } from '../support/infrastructure/until.js';
import { gate, stall, type Step } from '../support/provider/provider.js';
import { TcpProxy } from '../support/infrastructure/tcp-proxy.js';
import type { TestUser } from '../support/app/user.js';

/** Locks the SQLite file, as a backup in another process does. */
function lock(databaseUrl: string): { close(): void } {
  const database = new DatabaseSync(databaseUrl.slice('sqlite:'.length));
  database.exec('BEGIN EXCLUSIVE');
  return database;
}

/** Opens a proxy to a database. @returns the proxy, and the database's URL through it */
async function openProxy(databaseUrl: string): Promise<{ proxy: TcpProxy; url: string }> {
  const url = new URL(databaseUrl);
  const proxy = await TcpProxy.start(url.hostname, Number(url.port || 3306));
  url.host = `127.0.0.1:${proxy.port}`;
  return { proxy, url: url.href };
}

onSqlite('a database that another process has locked', () => {
  testOutage(async () => {
    const t = await startTestApp();
    const makeUnavailable = async () => {
      const other = lock(t.settings.databaseUrl);
      return () => other.close();
    };
    return { t, makeUnavailable, stop: () => t.stop() };
  });
});

onMysql('a database that', () => {
  const cuts = {
    'is down': (proxy: TcpProxy) => proxy.refuse(),
    'does not answer': (proxy: TcpProxy) => proxy.hang(),
    'has lost its connections without closing them': (proxy: TcpProxy) => proxy.lose(),
  };

  describe.each(Object.entries(cuts))('%s', (_way, cut) => {
    testOutage(async () => {
      const database = await createTestDatabase('');
      const { proxy, url } = await openProxy(database.url);
      const t = await startTestApp({ env: { DATABASE_URL: url } });
      const stop = async () => {
        await t.stop();
        await proxy.close();
        await database.drop();
      };
      return { t, makeUnavailable: () => cut(proxy), stop };
    });
  });
});

describe('a node that shuts down while the database is unavailable', () => {
  const GRACE_S = 1;
  let t: TestNodes;
  /** Holds a reference, because garbage collection would release the lock. */
  let obstacle: { close(): unknown } | undefined;

  beforeAll(async () => {
    t = await startTestNodes();
  });
  afterAll(async () => {
    await obstacle?.close();
    await t.stop();
  });

  /** The database's URL for the node, and a function that makes it unavailable. */
  async function reachableDatabase(): Promise<{ url: string; makeUnavailable: () => Promise<unknown> }> {
    if (t.databaseUrl.startsWith('sqlite:')) {
      const makeUnavailable = async () => (obstacle = lock(t.databaseUrl));
      return { url: t.databaseUrl, makeUnavailable };
    }
    const opened = await openProxy(t.databaseUrl);
    obstacle = opened.proxy;
    return { url: opened.url, makeUnavailable: () => opened.proxy.hang() };
  }

  it('exits with 0 within the grace period and 10 s, losing only unwritten text', async () => {
    const { url, makeUnavailable } = await reachableDatabase();
    const node = await t.start({ DATABASE_URL: url, SHUTDOWN_GRACE_S: String(GRACE_S) });
    const ada = await node.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();
    const unavailable = gate();
    t.provider.willStream('Written. ', unavailable, 'Not written.', stall());
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    const stored = () => t.query<{ text: string }>('SELECT text FROM reply_chunks');
    await until(async () => (await stored()).length === 1);
    await makeUnavailable();
    unavailable.open();
    await sse.until(() => textOf(sse.events) === 'Written. Not written.');

    const since = Date.now();
    node.process.signal('SIGTERM');

    expect(await within(node.process.exited, 'No exit', 20_000)).toMatchObject({ code: 0, stderr: '' });
    expect(Date.now() - since).toBeLessThan((GRACE_S + 10) * 1000);
    expect(await stored()).toMatchObject([{ text: 'Written. ' }]);
  });
});

onMysql('conflicting transactions', () => {
  let t: TestApp;
  let ada: TestUser;
  let other: Connection;
  let conversation: Thing;

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
  });
  beforeEach(async () => {
    other = await createConnection(t.settings.databaseUrl.replace(/^mariadb:/, 'mysql:'));
    conversation = await ada.createConversation();
    await other.query('BEGIN');
  });
  afterEach(() => other.end());
  afterAll(() => t.stop());

  const touch = () => other.query('UPDATE conversations SET pinned = pinned WHERE id = ?', [conversation.id]);

  /** MySQL refreshes INNODB_TRX only if it was not read for 100 ms. */
  const TRX_INTERVAL_MS = 150;

  /** Waits until transactions of the app begun after `previous` wait for a lock. @returns the earliest begin */
  async function lockWaiters(previous = 0): Promise<number> {
    let begun: number[] = [];
    const isWaiting = async () => {
      const waiting = other.query<RowDataPacket[]>(
        `SELECT UNIX_TIMESTAMP(t.trx_started) AS begun FROM information_schema.innodb_trx t JOIN information_schema.processlist p
           ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE() AND t.trx_state = 'LOCK WAIT'`,
      );
      // The table's text is utf8mb3: MySQL cannot fill it while a running statement contains an emoji.
      const [rows] = await waiting.catch(() => [[] as RowDataPacket[]]);
      begun = rows.map((row) => Number(row.begun));
      return begun.length > 0 && begun.every((time) => time > previous);
    };
    await until(isWaiting, 10_000, TRX_INTERVAL_MS);
    return Math.min(...begun);
  }

  it('are retried after a deadlock', async () => {
    // MySQL rolls back the transaction with fewer writes, which must be the app's.
    await other.query('UPDATE users SET created_at = NOW(3)');
    for (let beat = 0; beat < 50; beat++) {
      await other.query('INSERT INTO nodes (id, beat) VALUES (UUID(), ?)', [beat]);
    }
    const client_message_id = randomUUID();
    await other.query('SET SESSION foreign_key_checks = 0'); // because the check would lock the conversation
    await other.query(
      `INSERT INTO messages (conversation_id, user_id, client_message_id, active, role, content, reasoning, status, attempt, created_at)
       VALUES (?, ?, ?, 1, 'user', '', '', 'complete', 1, NOW(3))`,
      [conversation.id, ada.id, client_message_id],
    );
    const send = ada.send(conversation.id, 'Hi', { client_message_id });
    await lockWaiters();

    await touch(); // succeeds, because the app's transaction was rolled back
    await other.query('ROLLBACK');

    expect(await send).toMatchObject({ status: 200 });
    expect(await ada.history(conversation.id)).toHaveLength(2);
  });

  /** The lock wait timeout that the app sets. */
  const LOCK_WAIT_MS = 1000;

  it('are retried after a lock wait timeout', async () => {
    await touch();
    const since = Date.now();
    const send = ada.send(conversation.id, 'Hi');
    // The first try times out, then another transaction waits.
    await lockWaiters(await lockWaiters());
    await other.query('ROLLBACK');

    expect(await send).toMatchObject({ status: 200 });
    expect(Date.now() - since).toBeGreaterThan(LOCK_WAIT_MS);
    expect(await ada.history(conversation.id)).toHaveLength(2);
  });

  it('fail soon if the lock stays', async () => {
    await touch();
    const since = Date.now();

    expect(await ada.send(conversation.id, 'Hi')).toMatchObject({
      status: 503,
      body: { code: 'database_unavailable' },
    });
    expect(Date.now() - since).toBeLessThan(SOON_MS);
  });
});

onMysql('a slow statement', () => {
  it('is kept while the server answers other connections', async () => {
    const t = await startTestApp();

    const [row] = await t.app.get(DataSource).query<{ slept: string }[]>('SELECT SLEEP(5) AS slept');

    expect(Number(row!.slept)).toBe(0);
    await t.stop();
  });
});

describe('two hundred concurrent replies', () => {
  const REPLIES = 200;
  const MEASURED_MS = 3000;
  let t: TestApp;

  beforeAll(async () => {
    t = await startTestApp();
  });
  afterAll(() => t.stop());

  it('cost at most eight writes a second', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    t.provider.onRequest = () => [chatter];
    const conversations = await Promise.all(Array.from({ length: REPLIES }, () => ada.createConversation()));
    const socket = ada.socket();
    for (const { id } of conversations) {
      expect(await socket.emit('chat.send', { conversation_id: id, content: 'Go' })).toMatchObject({
        ok: true,
      });
    }
    await t.provider.waitForRequests(REPLIES);
    const logged = jest.spyOn(t.app.get(DataSource).logger, 'logQuery');

    await delay(MEASURED_MS);

    const writes = logged.mock.calls.filter(([sql]) => /^(INSERT|UPDATE|DELETE)/.test(sql));
    expect(writes.length).toBeGreaterThan(MEASURED_MS / 1000);
    expect(writes.length).toBeLessThanOrEqual((8 * MEASURED_MS) / 1000);
  }, 90_000);

  const chatter: Step = async (stream) => {
    while (!stream.gone) {
      await stream.delta({ content: 'word ' });
      await delay(200);
    }
  };
});
