import { DatabaseSync } from '@photostructure/sqlite';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { createForOwner } from './sqlite-database.js';

/** Wait for a lock. Milliseconds. */
const TIMEOUT_MS = 5000;

/** A backup or restore that is not possible; `message` states the reason for the operator. */
export class BackupError extends Error {}

/**
 * Copies a database that may be in use to a new file, in one read transaction: writers are not blocked. The file is
 * readable by its owner only.
 * @throws {BackupError}
 */
export function backUp(database: string, file: string): void {
  requireFile(database);
  if (existsSync(file)) throw new BackupError(`${file} exists already.`);
  try {
    copy(database, file);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

/**
 * Replaces a database, which no process may use, by a backup.
 * @param migrations names of this version's migrations
 * @returns the path that the replaced database was moved to, or null if there was none
 * @throws {BackupError}
 */
export function restore(file: string, database: string, migrations: readonly string[]): string | null {
  requireFile(file);
  verify(file, migrations);
  const copied = `${database}.restoring`;
  rmSync(copied, { force: true });
  copy(file, copied);
  const replaced = existsSync(database) ? setAside(database) : null;
  renameSync(copied, database);
  return replaced;
}

/** SQLite's backup API would start again after each write of another process. */
function copy(from: string, to: string): void {
  createForOwner(to);
  const source = new DatabaseSync(from, { timeout: TIMEOUT_MS });
  try {
    source.prepare('VACUUM INTO ?').run(to);
  } finally {
    source.close();
  }
  const descriptor = openSync(to, 'r+');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function verify(file: string, known: readonly string[]): void {
  const backup = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = backup.prepare('SELECT name FROM migrations').all() as { name: string }[];
    const newer = rows.filter(({ name }) => !known.includes(name));
    if (newer.length > 0) throw new BackupError(`${file} was made by a newer version of Parley.`);
    const [result] = backup.prepare('PRAGMA integrity_check(1)').all() as { integrity_check: string }[];
    if (result!.integrity_check !== 'ok') throw new BackupError(`${file} is damaged.`);
  } catch (error) {
    throw error instanceof BackupError ? error : new BackupError(`${file} is no backup of Parley.`);
  } finally {
    backup.close();
  }
}

/** Leaving WAL mode fails while another process has the database open, and removes the -wal and -shm files. */
function setAside(path: string): string {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE; COMMIT');
  } catch {
    throw new BackupError(`${path} is in use: stop Parley first.`);
  } finally {
    database.close();
  }
  const replaced = `${path}.replaced-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
  renameSync(path, replaced);
  return replaced;
}

function requireFile(path: string): void {
  if (!existsSync(path)) throw new BackupError(`${path} does not exist.`);
}
