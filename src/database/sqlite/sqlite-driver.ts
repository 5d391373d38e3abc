import { setTimeout as delay } from 'node:timers/promises';
import type { ColumnType, DataSource } from 'typeorm';
import { BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { BetterSqlite3QueryRunner } from 'typeorm/driver/better-sqlite3/BetterSqlite3QueryRunner.js';
import { makeFolder } from '../../env/make-folder.js';
import { isLocked } from '../retry.js';
import { ConnectionMutex } from './connection-mutex.js';
import type { SqliteDatabase } from './sqlite-database.js';

/** Wait for another process's lock on the file. */
const LOCK_WAIT_MS = 3000;
const LOCK_POLL_MS = 20;

/**
 * TypeORM's SQLite driver with a query runner per caller. TypeORM's own shares one runner, which mixes concurrent
 * transactions. Runners take turns on the one connection.
 */
class SqliteDriver extends BetterSqlite3Driver {
  readonly mutex = new ConnectionMutex();
  readonly statements = new Map<string, unknown>();

  override createQueryRunner(): BetterSqlite3QueryRunner {
    return new SqliteQueryRunner(this);
  }

  protected override async createDatabaseConnection(): Promise<SqliteDatabase> {
    const database: SqliteDatabase = await super.createDatabaseConnection();
    database.pragma('busy_timeout = 0');
    this.statements.clear(); // prepared on an earlier connection
    return database;
  }

  protected override async createDatabaseDirectory(path: string): Promise<void> {
    makeFolder(path);
  }

  /** Maps the MySQL types of entities to SQLite's. */
  override normalizeType(column: Parameters<BetterSqlite3Driver['normalizeType']>[0]): string {
    if (column.type === 'bigint') return 'integer';
    if ((column.type as ColumnType) === 'longtext') return 'text';
    if ((column.type as ColumnType) === 'longblob') return 'blob';
    return super.normalizeType(column);
  }
}

/** Holds the connection for one statement or a whole transaction. */
class SqliteQueryRunner extends BetterSqlite3QueryRunner {
  /** Set during a transaction. */
  private releaseMutex?: () => void;

  constructor(private readonly shared: SqliteDriver) {
    super(shared);
    // TypeORM caches prepared statements per runner; these runners are short-lived.
    Object.assign(this, { stmtCache: shared.statements });
  }

  override async query(query: string, parameters?: unknown[], useStructuredResult?: boolean) {
    // Takes the write lock at the start: upgrading a read lock later fails if another process has written meanwhile.
    const sql = query === 'BEGIN TRANSACTION' ? 'BEGIN IMMEDIATE TRANSACTION' : query;
    const run = () => super.query(sql, parameters, useStructuredResult as true);
    return this.releaseMutex ? run() : retryWhileLocked(() => this.withMutex(run));
  }

  override async startTransaction(): Promise<void> {
    if (this.releaseMutex) await super.startTransaction();
    else await retryWhileLocked(() => this.begin());
  }

  override async commitTransaction(): Promise<void> {
    await super.commitTransaction();
    this.releaseUnlessActive();
  }

  override async rollbackTransaction(): Promise<void> {
    const outermost = this.transactionDepth <= 1;
    try {
      await super.rollbackTransaction();
    } finally {
      // If the rollback fails, for example on a full disk, SQLite has ended the transaction itself.
      if (outermost) this.isTransactionActive = false;
      this.releaseUnlessActive();
    }
  }

  override async release(): Promise<void> {
    if (this.isTransactionActive) await this.rollbackTransaction();
    await super.release();
  }

  private async withMutex<T>(run: () => Promise<T>): Promise<T> {
    const release = await this.shared.mutex.acquire();
    return run().finally(release);
  }

  private async begin(): Promise<void> {
    this.releaseMutex = await this.shared.mutex.acquire();
    try {
      await super.startTransaction();
    } catch (error) {
      this.isTransactionActive = false;
      this.releaseUnlessActive();
      throw error;
    }
  }

  private releaseUnlessActive(): void {
    if (this.isTransactionActive) return;
    this.releaseMutex?.();
    this.releaseMutex = undefined;
  }
}

/**
 * Retries while another process has the file locked, without the mutex, so that reads go on. SQLite's own wait
 * (busy_timeout) would block the process.
 */
async function retryWhileLocked<T>(run: () => Promise<T>): Promise<T> {
  for (const start = performance.now(); ;) {
    try {
      return await run();
    } catch (error) {
      if (!isLocked(error) || performance.now() - start > LOCK_WAIT_MS) throw error;
    }
    await delay(LOCK_POLL_MS);
  }
}

export function useSqliteDriver(dataSource: DataSource): DataSource {
  return Object.assign(dataSource, { driver: new SqliteDriver(dataSource) });
}
