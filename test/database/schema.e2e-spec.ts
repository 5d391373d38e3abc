import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { DatabaseSync } from '@photostructure/sqlite';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource, Table } from 'typeorm';
import { Deployment1764100000000 } from '../../migrations/1764100000000-Deployment.js';
import { createDataSource, isMysql } from '../../src/database/data-source.js';
import { DatabaseModule } from '../../src/database/database.module.js';
import { EnvModule } from '../../src/env/env.module.js';
import { loadSettings, Settings } from '../../src/env/settings.js';
import { SCHEMA } from '../../src/schema.js';
import {
  createTestDatabase,
  onMysql,
  onSqlite,
  type TestDatabase,
} from '../support/infrastructure/database.js';

let folder: string;
let database: TestDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-schema-'));
  database = await createTestDatabase(folder);
  dataSource = await createDataSource(database.url, SCHEMA).initialize();
  await dataSource.runMigrations();
});

afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

const query = <T = Record<string, unknown>>(sql: string) => dataSource.query<T[]>(sql);

/** The tables that exist, but for TypeORM's own list of migrations. */
async function tableNames(): Promise<string[]> {
  const tables = isMysql(dataSource)
    ? await query('SHOW TABLES')
    : await query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
  const names = tables.map((row) => String(Object.values(row)[0]));
  return names.filter((name) => name !== 'migrations').sort();
}

const entityTables = () => dataSource.entityMetadatas.map(({ tableName }) => tableName).sort();

describe('the schema', () => {
  it('matches the entities exactly', async () => {
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();

    expect(upQueries.map(({ query: sql }) => sql)).toEqual([]);
    expect(await tableNames()).toEqual(entityTables());
  });

  it('gives each database a unique deployment id', async () => {
    const names = async () => (await query<{ id: string }>('SELECT id FROM deployment')).map(({ id }) => id);
    const before = await names();
    const later = SCHEMA.migrations.length - SCHEMA.migrations.indexOf(Deployment1764100000000);
    for (let left = later; left > 0; left--) await dataSource.undoLastMigration();
    await dataSource.runMigrations();
    const after = await names();

    expect([before, after]).toEqual([[expect.any(String)], [expect.any(String)]]);
    expect(after).not.toEqual(before);
  });

  it('can be reverted completely and migrated again', async () => {
    for (let left = SCHEMA.migrations.length; left > 0; left--) await dataSource.undoLastMigration();
    expect(await tableNames()).toEqual([]);

    await dataSource.runMigrations();
    expect(await tableNames()).toEqual(entityTables());
    expect(await dataSource.showMigrations()).toBe(false);
  });
});

onMysql('nodes that start together on a new database', () => {
  it('migrate one after the other', async () => {
    const fresh = await createTestDatabase(folder);
    const env = { NODE_ENV: 'test', DATABASE_URL: fresh.url, MIGRATE_ON_START: 'true' };
    const start = () =>
      Test.createTestingModule({ imports: [EnvModule, DatabaseModule.forRoot(SCHEMA)] })
        .overrideProvider(Settings)
        .useValue(loadSettings({ ...env, DATA_DIR: folder }))
        .compile();
    const nodes = await Promise.all([start(), start(), start()]);

    const source = nodes[0].get(DataSource);
    const run = await source.query<{ name: string }[]>('SELECT name FROM migrations ORDER BY id');
    expect(run.map(({ name }) => name)).toEqual(SCHEMA.migrations.map(({ name }) => name));
    expect(await source.query('SELECT id FROM deployment')).toHaveLength(1);
    await Promise.all(nodes.map((node) => node.close()));
    await fresh.drop();
  });
});

onSqlite('SQLite', () => {
  it('enforces foreign keys, and uses a write-ahead log', async () => {
    expect(await query('PRAGMA foreign_keys')).toEqual([{ foreign_keys: 1 }]);
    expect(await query('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    expect(await query('PRAGMA synchronous')).toEqual([{ synchronous: 1 }]);
  });

  it('creates its files readable by their owner only', async () => {
    const files = (await readdir(folder)).filter((name) => name.startsWith('test.db'));
    const modes = await Promise.all(files.map(async (name) => (await stat(join(folder, name))).mode & 0o777));

    expect(files).toEqual(['test.db', 'test.db-shm', 'test.db-wal']);
    expect(modes).toEqual([0o600, 0o600, 0o600]);
  });

  it('waits for another process’s lock without blocking the event loop', async () => {
    const other = new DatabaseSync(join(folder, 'test.db'));
    other.exec('BEGIN IMMEDIATE');
    const write = dataSource.query("INSERT INTO nodes (id, beat) VALUES ('waited', 1)");
    await new Promise(setImmediate);
    other.exec('COMMIT');
    other.close();

    await write;
    expect(await query("SELECT id FROM nodes WHERE id = 'waited'")).toEqual([{ id: 'waited' }]);
  });

  it('gives up after three seconds of another process’s lock, and reads meanwhile', async () => {
    const other = new DatabaseSync(join(folder, 'test.db'));
    other.exec('BEGIN IMMEDIATE');
    const start = performance.now();
    const writes = [
      dataSource.query("INSERT INTO nodes (id, beat) VALUES ('late', 1)"),
      dataSource.transaction(async () => undefined),
    ].map((write) => expect(write).rejects.toThrow('locked'));
    expect(await query("SELECT id FROM nodes WHERE id = 'late'")).toEqual([]);
    expect(performance.now() - start).toBeLessThan(2500);
    await Promise.all(writes);
    const waitedMs = performance.now() - start;
    other.close();

    expect(waitedMs).toBeGreaterThanOrEqual(3000);
    expect(waitedMs).toBeLessThan(10_000);
  });
});

onMysql('MySQL', () => {
  it('uses InnoDB for every table and utf8mb4 for every text', async () => {
    const tables = await query(
      `SELECT TABLE_NAME AS name, ENGINE AS engine, TABLE_COLLATION AS collation FROM information_schema.TABLES
       WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'migrations'`,
    );
    expect(tables).toHaveLength(entityTables().length);
    expect(tables.filter(({ engine }) => engine !== 'InnoDB')).toEqual([]);

    const texts = await query(
      `SELECT TABLE_NAME, COLUMN_NAME, CHARACTER_SET_NAME AS charset FROM information_schema.COLUMNS
       WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'migrations' AND CHARACTER_SET_NAME IS NOT NULL`,
    );
    expect(texts.length).toBeGreaterThan(0);
    expect(texts.filter(({ charset }) => charset !== 'utf8mb4')).toEqual([]);
  });

  it('stores times to the millisecond', async () => {
    const times = await query(
      `SELECT TABLE_NAME, COLUMN_NAME, DATETIME_PRECISION AS digits FROM information_schema.COLUMNS
       WHERE TABLE_SCHEMA = DATABASE() AND DATA_TYPE IN ('datetime', 'timestamp')`,
    );
    expect(times.length).toBeGreaterThan(0);
    expect(times.filter(({ digits }) => Number(digits) !== 3)).toEqual([]);
  });
});

describe('transactions', () => {
  beforeAll(async () => {
    const runner = dataSource.createQueryRunner();
    const columns = [{ name: 'word', type: 'varchar', length: '20', isPrimary: true }];
    await runner.createTable(new Table({ name: 'scratch', columns }));
    await runner.release();
  });

  const words = async () =>
    (await query<{ word: string }>('SELECT word FROM scratch ORDER BY word')).map((row) => row.word);

  it('are isolated when concurrent: one rolls back, the other commits', async () => {
    const outcomes = await Promise.allSettled([
      dataSource.transaction(async (manager) => {
        await manager.query("INSERT INTO scratch VALUES ('kept 1')");
        await new Promise(setImmediate);
        await manager.query("INSERT INTO scratch VALUES ('kept 2')");
      }),
      dataSource.transaction(async (manager) => {
        await manager.query("INSERT INTO scratch VALUES ('undone')");
        await new Promise(setImmediate);
        throw new Error('changed my mind');
      }),
      dataSource.query("INSERT INTO scratch VALUES ('alone')"),
    ]);

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await words()).toEqual(['alone', 'kept 1', 'kept 2']);
  });

  it('leave nothing of a failed statement, and a usable connection', async () => {
    const attempt = dataSource.transaction(async (manager) => {
      await manager.query("INSERT INTO scratch VALUES ('half')");
      await manager.query("INSERT INTO scratch VALUES ('alone')");
    });

    await expect(attempt).rejects.toThrow();
    await dataSource.transaction((manager) => manager.query("INSERT INTO scratch VALUES ('next')"));
    expect(await words()).toEqual(['alone', 'kept 1', 'kept 2', 'next']);
  });

  onSqlite('on the one connection of SQLite', () => {
    it('are serialized, each seeing the result of the one before', async () => {
      const before = (await words()).length;
      const addOne = () =>
        dataSource.transaction(async (manager) => {
          const [row] = await manager.query<{ n: number }[]>('SELECT count(*) AS n FROM scratch');
          await manager.query(`INSERT INTO scratch VALUES ('word ${row!.n}')`);
        });
      await Promise.all(Array.from({ length: 20 }, addOne));

      expect(await words()).toHaveLength(before + 20);
    });
  });
});
