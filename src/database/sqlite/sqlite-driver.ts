import { DatabaseSync, enhance } from '@photostructure/sqlite';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource, ColumnType } from 'typeorm';
import { BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { BetterSqlite3QueryRunner } from 'typeorm/driver/better-sqlite3/BetterSqlite3QueryRunner.js';
import { isLocked } from '../retry.js';

/** How long a caller waits for a lock that another process holds on the file, and how often it looks. */
const LOCK_WAIT_MS = 3000;
const LOCK_POLL_MS = 20;
/** How long statements may follow on each other before the event loop turns. */
const MAX_BUSY_MS = 5;

/**
 * What TypeORM asks of the `better-sqlite3` package, met by @photostructure/sqlite, whose binaries come
 * inside the package: installing compiles and downloads nothing.
 */
export class SqliteDatabase {
  private readonly database;

  constructor(path: string, options: { timeout: number }) {
    if (path !== ':memory:') createForOwner(path);
    this.database = enhance(new DatabaseSync(path, { timeout: options.timeout }));
  }

  prepare(sql: string) {
    const statement = this.database.prepare(sql);
    return Object.assign(statement, { reader: statement.columns().length > 0 });
  }

  pragma(source: string): unknown {
    return this.database.pragma(source);
  }

  close(): void {
    this.database.close();
  }
}

/** SQLite gives its files beside the database (-wal, -shm) the mode that the database has. */
function createForOwner(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
}

/**
 * TypeORM's SQLite drivers share one query runner, so that two transactions at once mix. Here every caller gets
 * a runner of its own, and the runners take turns at the one connection.
 */
class SqliteDriver extends BetterSqlite3Driver {
  readonly turns = new Mutex();
  readonly statements = new Map<string, unknown>();

  override createQueryRunner(): BetterSqlite3QueryRunner {
    return new SqliteQueryRunner(this);
  }

  protected override async createDatabaseConnection(): Promise<SqliteDatabase> {
    const database: SqliteDatabase = await super.createDatabaseConnection();
    database.pragma('busy_timeout = 0');
    this.statements.clear(); // those of an earlier connection
    return database;
  }

  /** Entities name MySQL's types; SQLite has fewer. */
  override normalizeType(column: Parameters<BetterSqlite3Driver['normalizeType']>[0]): string {
    if (column.type === 'bigint') return 'integer';
    if ((column.type as ColumnType) === 'longtext') return 'text';
    if ((column.type as ColumnType) === 'longblob') return 'blob';
    return super.normalizeType(column);
  }
}

/** Holds the connection for one statement, or for the whole of a transaction. */
class SqliteQueryRunner extends BetterSqlite3QueryRunner {
  private endTurn?: () => void;

  constructor(private readonly shared: SqliteDriver) {
    super(shared);
    // TypeORM keeps prepared statements by runner; these runners are short-lived, the connection is not.
    Object.assign(this, { stmtCache: shared.statements });
  }

  override async query(query: string, parameters?: unknown[], useStructuredResult?: boolean) {
    // A transaction that takes the write lock at its beginning meets no other process's later, when it would be lost.
    const sql = query === 'BEGIN TRANSACTION' ? 'BEGIN IMMEDIATE TRANSACTION' : query;
    const run = () => super.query(sql, parameters, useStructuredResult as true);
    return this.endTurn ? run() : whenUnlocked(() => this.inTurn(run));
  }

  override async startTransaction(): Promise<void> {
    if (this.endTurn) await super.startTransaction();
    else await whenUnlocked(() => this.begin());
  }

  override async commitTransaction(): Promise<void> {
    await super.commitTransaction();
    this.endTurnUnlessActive();
  }

  override async rollbackTransaction(): Promise<void> {
    const outermost = this.transactionDepth <= 1;
    try {
      await super.rollbackTransaction();
    } finally {
      // SQLite itself has ended a transaction that fails to roll back (a full disk, say).
      if (outermost) this.isTransactionActive = false;
      this.endTurnUnlessActive();
    }
  }

  override async release(): Promise<void> {
    if (this.isTransactionActive) await this.rollbackTransaction();
    await super.release();
  }

  private async inTurn<T>(run: () => Promise<T>): Promise<T> {
    const endTurn = await this.shared.turns.take();
    return run().finally(endTurn);
  }

  private async begin(): Promise<void> {
    this.endTurn = await this.shared.turns.take();
    try {
      await super.startTransaction();
    } catch (error) {
      this.isTransactionActive = false;
      this.endTurnUnlessActive();
      throw error;
    }
  }

  private endTurnUnlessActive(): void {
    if (this.isTransactionActive) return;
    this.endTurn?.();
    this.endTurn = undefined;
  }
}

/**
 * Waits while another process has the file locked, without a turn, so that what needs no lock goes on. SQLite's own
 * wait (busy_timeout) would hold up the whole process.
 */
async function whenUnlocked<T>(run: () => Promise<T>): Promise<T> {
  for (const start = performance.now(); ;) {
    try {
      return await run();
    } catch (error) {
      if (!isLocked(error) || performance.now() - start > LOCK_WAIT_MS) throw error;
    }
    await delay(LOCK_POLL_MS);
  }
}

/** First come, first served, and whatever else the process does between them, as SQLite's statements hold it up. */
class Mutex {
  private last: Promise<void> = Promise.resolve();
  /** Since when nothing but turns may have run. */
  private busySince?: number;

  /** @returns what ends the turn */
  async take(): Promise<() => void> {
    const before = this.last;
    let pass!: () => void;
    this.last = new Promise((resolve) => (pass = resolve));
    await before;
    this.busySince ??= this.begin();
    return () => {
      if (performance.now() - (this.busySince ?? Infinity) > MAX_BUSY_MS) setImmediate(pass);
      else pass();
    };
  }

  private begin(): number {
    setImmediate(() => (this.busySince = undefined));
    return performance.now();
  }
}

export function useSqliteDriver(dataSource: DataSource): DataSource {
  return Object.assign(dataSource, { driver: new SqliteDriver(dataSource) });
}
