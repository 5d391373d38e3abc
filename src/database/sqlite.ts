import { DatabaseSync, enhance } from '@photostructure/sqlite';
import type { DataSource, ColumnType } from 'typeorm';
import { BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { BetterSqlite3QueryRunner } from 'typeorm/driver/better-sqlite3/BetterSqlite3QueryRunner.js';

/**
 * What TypeORM asks of the `better-sqlite3` package, met by @photostructure/sqlite, whose binaries come
 * inside the package: installing compiles and downloads nothing.
 */
export class SqliteDatabase {
  private readonly database;

  constructor(path: string, options: { timeout: number }) {
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

  /** Entities name MySQL's types; SQLite has fewer. */
  override normalizeType(column: Parameters<BetterSqlite3Driver['normalizeType']>[0]): string {
    if (column.type === 'bigint') return 'integer';
    if ((column.type as ColumnType) === 'longtext') return 'text';
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
    if (this.endTurn) return super.query(query, parameters, useStructuredResult as true);
    const endTurn = await this.shared.turns.take();
    try {
      return await super.query(query, parameters, useStructuredResult as true);
    } finally {
      endTurn();
    }
  }

  override async startTransaction(): Promise<void> {
    this.endTurn ??= await this.shared.turns.take();
    try {
      await super.startTransaction();
    } finally {
      this.endTurnUnlessActive();
    }
  }

  override async commitTransaction(): Promise<void> {
    await super.commitTransaction();
    this.endTurnUnlessActive();
  }

  override async rollbackTransaction(): Promise<void> {
    try {
      await super.rollbackTransaction();
    } finally {
      this.endTurnUnlessActive();
    }
  }

  override async release(): Promise<void> {
    if (this.isTransactionActive) await this.rollbackTransaction();
    await super.release();
  }

  private endTurnUnlessActive(): void {
    if (this.isTransactionActive) return;
    this.endTurn?.();
    this.endTurn = undefined;
  }
}

/** First come, first served. */
class Mutex {
  private last: Promise<void> = Promise.resolve();

  /** @returns what ends the turn */
  async take(): Promise<() => void> {
    const before = this.last;
    let end!: () => void;
    this.last = new Promise((resolve) => (end = resolve));
    await before;
    return end;
  }
}

export function useSqliteDriver(dataSource: DataSource): DataSource {
  return Object.assign(dataSource, { driver: new SqliteDriver(dataSource) });
}
