import { DatabaseSync, enhance } from '@photostructure/sqlite';
import { closeSync, openSync } from 'node:fs';

/**
 * Adapts @photostructure/sqlite to the part of `better-sqlite3` that TypeORM uses. Its binaries are inside the package:
 * an installation compiles and downloads nothing.
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

/** Creates the file readable by its owner only; SQLite copies the mode to -wal and -shm files. */
export function createForOwner(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
}
