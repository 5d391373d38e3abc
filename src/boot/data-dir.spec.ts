import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareDataDir } from './data-dir.js';
import type { Settings } from '../env/settings.js';

const prepare = (dataDir: string, others: Partial<Settings> = {}) =>
  prepareDataDir({
    dataDir,
    databaseUrl: `sqlite:${dataDir}/parley.db`,
    filesUrl: `file:${dataDir}/files`,
    ...others,
  } as Settings);
const isRefused = 'DATA_DIR must name a folder that can be created and written to';

describe('DATA_DIR', () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'parley-data-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is created with its parents, for the owner only', () => {
    const path = join(folder, 'a/b');
    prepare(path);
    prepare(path);

    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it('is named in the error if it is no folder, or in none', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');

    expect(() => prepare(file)).toThrow(`${isRefused} (EEXIST)`);
    // Node 24 reports EEXIST.
    expect(() => prepare(join(file, 'data'))).toThrow(/^.*\n.*DATA_DIR must name .* \((ENOTDIR|EEXIST)\)/);
  });

  it('is not needed if the database and the files are elsewhere', () => {
    const path = join(folder, 'unused');
    prepare(path, { databaseUrl: 'mysql://root@127.0.0.1/parley', filesUrl: 's3://bucket' });

    expect(existsSync(path)).toBe(false);
  });

  it('is refused at once in /proc, which has no new folders', () => {
    // Other systems have no /proc, and refuse to create it.
    expect(() => prepare('/proc/parley/data')).toThrow(/DATA_DIR must name .* \((ENOENT|EROFS|EACCES)\)/);
  });
});
