import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { createDataSource, isMysql } from '../../src/database/data-source.js';
import { SCHEMA } from '../../src/schema.js';
import { createTestDatabase, type TestDatabase } from '../support/infrastructure/database.js';

const MIGRATIONS = join(import.meta.dirname, '../../migrations');

let folder: string;
let databases: TestDatabase[];
let clean: DataSource;

beforeAll(async () => {
  jest.spyOn(console, 'log').mockImplementation(() => undefined); // TypeORM logs each failure
  folder = await mkdtemp(join(tmpdir(), 'parley-migrations-'));
  databases = [await createTestDatabase(folder)];
  clean = await createDataSource(databases[0]!.url, SCHEMA).initialize();
  await clean.runMigrations();
});
afterAll(async () => {
  jest.restoreAllMocks();
  await clean.destroy();
  await Promise.all(databases.map((database) => database.drop()));
  await rm(folder, { recursive: true, force: true });
});

async function createEmptyDatabase(): Promise<string> {
  const database = await createTestDatabase(await mkdtemp(join(folder, 'empty-')));
  databases.push(database);
  return database.url;
}

/** All tables, keys and indexes, as statements. */
async function schemaOf(dataSource: DataSource): Promise<string[]> {
  if (!isMysql(dataSource)) {
    const rows = await dataSource.query<{ sql: string }[]>(
      'SELECT sql FROM sqlite_master WHERE sql IS NOT NULL',
    );
    return rows.map(({ sql }) => sql).sort();
  }
  const tables = dataSource.entityMetadatas.map(({ tableName }) => tableName).sort();
  const rows = await Promise.all(tables.map((table) => dataSource.query(`SHOW CREATE TABLE ${table}`)));
  return rows.map(([row]) => String(row['Create Table']));
}

/**
 * Migrates with a process that dies before its writing statement number `writes + 1`, as far as the database sees.
 * @returns that statement; null where all were let through
 */
async function migrateUntilKilled(url: string, writes: number): Promise<string | null> {
  const dataSource = await createDataSource(url, SCHEMA).initialize();
  let left = writes;
  let killedBefore: string | null = null;
  dataSource.logger.logQuery = (sql: string) => {
    if (/^\s*(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE)/i.test(sql) && left-- <= 0) killedBefore ??= sql;
    if (killedBefore !== null) throw new Error('killed');
  };
  await dataSource.runMigrations().catch((error: unknown) => {
    if (killedBefore === null) throw error;
  });
  dataSource.logger.logQuery = () => undefined;
  // A file's lock goes with the process that held it, as does a server's with the connection.
  if (!isMysql(dataSource)) await dataSource.query('ROLLBACK').catch(() => undefined);
  await dataSource.destroy();
  return killedBefore;
}

describe('the migrations', () => {
  it('resume after a start was killed at any statement', async () => {
    const url = await createEmptyDatabase();
    const killedBefore = new Set<string>();
    // One statement each time; more where that leads to no new one, as on SQLite, which takes all of them back.
    for (let writes = 1, last = await migrateUntilKilled(url, writes); last !== null;) {
      writes = killedBefore.has(last) ? writes + 1 : 1;
      killedBefore.add(last);
      last = await migrateUntilKilled(url, writes);
    }
    const resumed = await createDataSource(url, SCHEMA).initialize();
    const [schema, names] = [await schemaOf(resumed), await resumed.query('SELECT id FROM deployment')];
    await resumed.destroy();

    expect(schema).toEqual(await schemaOf(clean));
    expect(names).toHaveLength(1);
    expect(killedBefore.size).toBeGreaterThan(SCHEMA.migrations.length);
  }, 120_000);

  it('do not touch a table of another program', async () => {
    const url = await createEmptyDatabase();
    const dataSource = await createDataSource(url, SCHEMA).initialize();
    await dataSource.query('CREATE TABLE users (id integer PRIMARY KEY, name varchar(20))');

    await expect(dataSource.runMigrations()).rejects.toThrow('give Parley a database of its own');
    await dataSource.destroy();
  });

  it('are all listed in the order of their timestamps', () => {
    const files = migrationFiles().map((file) => file.replace(/^(\d+)-(\w+)\.ts$/, '$2$1'));

    expect(SCHEMA.migrations.map(({ name }) => name)).toEqual(files);
  });

  it('import nothing from src', () => {
    const sources = migrationFiles().map((file) => readFileSync(join(MIGRATIONS, file), 'utf8'));

    expect(sources.flatMap((source) => source.match(/from '(?:\.\.|\.\/(?!\d)).*'/g) ?? [])).toEqual([]);
  });

  it('match the checksums of their release', () => {
    const listed = readFileSync(join(MIGRATIONS, 'checksums.txt'), 'utf8').trim().split('\n');

    const byFile = listed.sort((a, b) => (a.slice(64) < b.slice(64) ? -1 : 1));
    expect(byFile).toEqual(migrationFiles().map((file) => `${sha256(join(MIGRATIONS, file))}  ${file}`));
  });
});

const migrationFiles = () =>
  readdirSync(MIGRATIONS)
    .filter((file) => file.endsWith('.ts'))
    .sort();

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('the hourly purge', () => {
  it.each([
    ['sessions', 'expires_at'],
    ['refresh_tokens', 'expires_at'],
    ['stream_tickets', 'expires_at'],
    ['known_addresses', 'last_login_at'],
  ])('uses an index: %s', async (table, column) => {
    const command = isMysql(clean) ? 'EXPLAIN' : 'EXPLAIN QUERY PLAN';
    const plan = await clean.query(
      `${command} SELECT 1 FROM ${table} WHERE ${column} < '2020-01-01 00:00:00'`,
    );

    expect(JSON.stringify(plan)).toContain(`ix_${table}_${column}`);
  });
});
