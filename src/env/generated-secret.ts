import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from './make-folder.js';

/**
 * Reads a secret from a file that only its owner can read, and creates it if it is absent.
 *
 * The secret is written to a draft that is then linked to its path, which fails if the path exists. Processes that start
 * together therefore read the same, complete secret, and a crash leaves no empty file.
 */
export function readOrCreateSecret(path: string, generate: () => string): string {
  return readIfPresent(path) ?? createSecret(path, generate());
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

function createSecret(path: string, secret: string): string {
  makeFolder(dirname(path));
  const draft = `${path}.${process.pid}.${process.hrtime.bigint()}`;
  try {
    writeFileSync(draft, `${secret}\n`, { flag: 'wx', mode: 0o600, flush: true });
    linkIfAbsent(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(path, 'utf8').trim();
}

function linkIfAbsent(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
