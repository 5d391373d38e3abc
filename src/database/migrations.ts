import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { isMysql } from './data-source.js';

const LOCK_WAIT_SECONDS = 60;

export async function refuseUnmigrated(dataSource: DataSource): Promise<void> {
  if (!(await dataSource.showMigrations())) return;
  throw new Error('The database is not migrated: run `npm run migration:run`, or set MIGRATE_ON_START=true.');
}

/** Runs pending migrations, one node at a time: MySQL does not change schemas in transactions. */
export async function migrate(dataSource: DataSource): Promise<void> {
  if (!isMysql(dataSource)) return void (await dataSource.runMigrations());
  const runner = dataSource.createQueryRunner();
  const lock = lockName(String(dataSource.driver.database));
  try {
    await runner.query('SELECT GET_LOCK(?, ?)', [lock, LOCK_WAIT_SECONDS]);
    await dataSource.runMigrations();
  } finally {
    await runner.query('SELECT RELEASE_LOCK(?)', [lock]);
    await runner.release();
  }
}

/** Hashes the database's name, because a lock's name has at most 64 characters. */
function lockName(database: string): string {
  return `parley.${createHash('sha256').update(database).digest('hex').slice(0, 32)}`;
}
