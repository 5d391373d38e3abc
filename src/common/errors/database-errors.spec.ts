import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DatabaseSync } from '@photostructure/sqlite';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isNativeError } from 'node:util/types';
import { isDatabaseUnavailable, isReadOnly } from './database-errors.js';

const asTypeOrm = (driverError: object) => Object.assign(new Error('Query failed'), { driverError });

describe('errors of MySQL and MariaDB', () => {
  it.each<[name: string, error: object, unavailable: boolean, readOnly: boolean]>([
    ['read_only', { errno: 1290 }, true, true],
    ['a read-only transaction', { errno: 1792 }, true, true],
    ['innodb_read_only', { errno: 1836 }, true, true],
    ['a read-only schema', { errno: 3989 }, true, true],
    ['a group without quorum', { errno: 3100 }, true, true],
    ['a statement-based binary log', { errno: 1665 }, true, true],
    ['a server that is shutting down', { errno: 1053 }, true, false],
    ['a server in offline mode', { errno: 3032 }, true, false],
    ['a Galera node that is not ready', { errno: 1047 }, true, false],
    ['too many connections', { errno: 1040 }, true, false],
    ['too many connections of the user', { errno: 1203 }, true, false],
    ['an exceeded resource limit of the user', { errno: 1226 }, true, false],
    ['a changed password', { errno: 1045 }, true, false],
    ['a revoked privilege', { errno: 1142 }, true, false],
    ['a dropped database', { errno: 1049 }, true, false],
    ['a full disk', { errno: 1021 }, true, false],
    ['a full tablespace', { errno: 1114 }, true, false],
    ['a killed connection, on MariaDB', { errno: 1927 }, true, false],
    ['a killed statement', { errno: 1317 }, true, false],
    ['a statement timeout', { errno: 3024 }, true, false],
    ['a statement timeout, on MariaDB', { errno: 1969 }, true, false],
    ['a connection closed as idle', { code: 4031, fatal: true }, true, false],
    ['a lost connection', { code: 'PROTOCOL_CONNECTION_LOST' }, true, false],
    ['a reset connection', { code: 'ECONNRESET', errno: -104 }, true, false],
    ['a lock wait timeout', { errno: 1205 }, true, false],
    ['a duplicate key', { errno: 1062 }, false, false],
    ['an unknown column', { errno: 1054 }, false, false],
    ['a value that is too long', { errno: 1406 }, false, false],
    ['a syntax error', { errno: 1064 }, false, false],
  ])('classifies %s', (_name, error, unavailable, readOnly) => {
    expect([isDatabaseUnavailable(error), isReadOnly(error)]).toEqual([unavailable, readOnly]);
    expect([isDatabaseUnavailable(asTypeOrm(error)), isReadOnly(asTypeOrm(error))]).toEqual([
      unavailable,
      readOnly,
    ]);
  });
});

describe('errors of SQLite', () => {
  let folder: string;
  let database: InstanceType<typeof DatabaseSync>;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'parley-errors-'));
    database = new DatabaseSync(join(folder, 'a.db'));
    database.exec('CREATE TABLE t (a TEXT UNIQUE)');
    writeFileSync(join(folder, 'corrupt.db'), 'no database, '.repeat(1000));
  });
  afterAll(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });

  const insert = (
    into: InstanceType<typeof DatabaseSync>,
    how: 'run' | 'all' | 'get',
    value = 'x'.repeat(50_000),
  ) => into.prepare('INSERT INTO t VALUES (?)')[how](value);
  const full = (how: 'run' | 'all') => {
    database.exec('PRAGMA max_page_count = 3');
    insert(database, how);
  };
  const locked = () => {
    const other = new DatabaseSync(join(folder, 'a.db'));
    other.exec('BEGIN EXCLUSIVE');
    try {
      insert(database, 'all', 'short');
    } finally {
      other.close();
    }
  };
  const twice = () => [1, 2].forEach(() => insert(new DatabaseSync(join(folder, 'a.db')), 'run', 'one'));
  const open = (name: string, readOnly = false) => new DatabaseSync(join(folder, name), { readOnly });

  it.each<[name: string, work: () => unknown, unavailable: boolean]>([
    ['a full disk', () => full('run'), true],
    ['a full disk, in a statement that returns rows', () => full('all'), true],
    ['a read-only file', () => insert(open('a.db', true), 'run', 'short'), true],
    [
      'a read-only file, in a statement that returns rows',
      () => insert(open('a.db', true), 'all', 'short'),
      true,
    ],
    ['a file locked by another connection', locked, true],
    ['a missing folder', () => open('gone/a.db').exec('SELECT 1'), true],
    ['a corrupt file', () => open('corrupt.db').prepare('SELECT * FROM t').all(), true],
    ['a duplicate key', twice, false],
    ['a missing table', () => database.prepare('SELECT * FROM nothing').all(), false],
    ['a syntax error', () => database.exec('SELEC'), false],
  ])('classifies %s', (_name, work, unavailable) => {
    const error = thrownBy(work);

    expect(isNativeError(error)).toBe(true);
    expect([isDatabaseUnavailable(error), isDatabaseUnavailable(asTypeOrm(error as Error))]).toEqual([
      unavailable,
      unavailable,
    ]);
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}
