import { afterEach, beforeEach } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError } from '../../src/env/environment-error.js';
import { loadSettings, type Settings } from '../../src/env/settings.js';
import { fernetKey, jwtSecret } from './secrets.js';

/** The DATA_DIR of a test, which does not exist yet. */
export let dataDir: string;

export function useDataDir(): void {
  let workplace: string;
  beforeEach(() => {
    workplace = mkdtempSync(join(tmpdir(), 'parley-settings-'));
    dataDir = join(workplace, 'data');
  });
  afterEach(() => rmSync(workplace, { recursive: true, force: true }));
}

export const load = (environment: NodeJS.ProcessEnv = {}): Settings =>
  loadSettings({ DATA_DIR: dataDir, ...environment });

export const loadInProduction = (environment: NodeJS.ProcessEnv = {}): Settings =>
  load({ NODE_ENV: 'production', JWT_SECRETS: jwtSecret(), ENCRYPTION_KEYS: fernetKey(), ...environment });

export function errorsOf(environment: NodeJS.ProcessEnv, loader = load): readonly string[] {
  try {
    loader(environment);
  } catch (error) {
    if (error instanceof EnvironmentError) return error.errors;
    throw error;
  }
  return [];
}
