import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readOrCreateSecret } from './generated-secret.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-secret-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('uses the secret of another process that wrote it first', () => {
  const path = join(folder, 'data', 'secret');

  const secret = readOrCreateSecret(path, () => {
    readOrCreateSecret(path, () => 'theirs');
    return 'mine';
  });

  expect(secret).toBe('theirs');
  expect(readFileSync(path, 'utf8')).toBe('theirs\n');
  expect(readdirSync(join(folder, 'data'))).toEqual(['secret']);
});
