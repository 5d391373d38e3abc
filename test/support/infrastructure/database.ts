import { describe } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';

export interface TestDatabase {
  url: string;
  drop(): Promise<void>;
}

/** Creates an empty database: on the server of TEST_MYSQL_URL (`mysql://` or `mariadb://`), else SQLite in `folder`. */
export async function createTestDatabase(folder: string): Promise<TestDatabase> {
  const server = process.env.TEST_MYSQL_URL;
  if (!server) return { url: `sqlite:${folder}/test.db`, drop: async () => undefined };
  const name = `parley_test_${randomBytes(6).toString('hex')}`;
  await run(server, `CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  return { url: `${server.replace(/\/$/, '')}/${name}`, drop: () => run(server, `DROP DATABASE ${name}`) };
}

/** Creates a database with the current tables on MySQL, and an empty one on SQLite, whose migrations take no time. */
export async function createMigratedDatabase(folder: string): Promise<TestDatabase> {
  const database = await createTestDatabase(folder);
  const schema = process.env.TEST_MYSQL_SCHEMA;
  if (schema) await run(database.url, schema);
  return database;
}

async function run(url: string, statements: string): Promise<void> {
  const uri = url.replace(/^mariadb:/, 'mysql:');
  const connection = await createConnection({ uri, multipleStatements: true });
  try {
    await connection.query(statements);
  } finally {
    await connection.end();
  }
}

/** Group of tests for MySQL and MariaDB only. */
export function onMysql(name: string, tests: () => void): void {
  if (process.env.TEST_MYSQL_URL) describe(name, tests);
}

/** Group of tests for runs with a Redis; called with its URL. */
export function onRedis(name: string, tests: (url: string) => void): void {
  const url = process.env.TEST_REDIS_URL;
  if (url) describe(name, () => tests(url));
}

/** Group of tests for SQLite only. */
export function onSqlite(name: string, tests: () => void): void {
  if (!process.env.TEST_MYSQL_URL) describe(name, tests);
}
