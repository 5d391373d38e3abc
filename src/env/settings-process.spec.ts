/** Settings in child processes: .env in the working directory, and concurrent starts. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { transformFileSync } from '@swc/core';
import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
let compiled: string;
let workplace: string;

beforeAll(() => {
  compiled = mkdtempSync(join(tmpdir(), 'parley-env-'));
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(compiled, 'node_modules'));
  const files = readdirSync(import.meta.dirname, { encoding: 'utf8', recursive: true });
  mkdirSync(join(compiled, 'rules'));
  for (const file of files.filter((name) => /^(?!.*\.(spec|module)\.ts).*\.ts$/.test(name))) {
    const { code } = transformFileSync(join(import.meta.dirname, file), {
      swcrc: false,
      module: { type: 'commonjs' },
      jsc: {
        parser: { syntax: 'typescript' },
        target: 'es2023',
        transform: { useDefineForClassFields: false },
      },
    });
    writeFileSync(join(compiled, file.replace(/ts$/, 'js')), code);
  }
});
afterAll(() => rmSync(compiled, { recursive: true, force: true }));

beforeEach(() => {
  workplace = mkdtempSync(join(tmpdir(), 'parley-start-'));
});
afterEach(() => rmSync(workplace, { recursive: true, force: true }));

/** Evaluates an expression in a child process in `workplace`, with settings.ts as `env`. @returns its value */
async function start(script: string, environment: NodeJS.ProcessEnv = {}): Promise<unknown> {
  const prelude = `const env = require(${JSON.stringify(join(compiled, 'settings.js'))});`;
  const options = { cwd: workplace, env: { PATH: process.env.PATH, ...environment } };
  const { stdout } = await run(
    process.execPath,
    ['-e', `${prelude} console.log(JSON.stringify(${script}))`],
    options,
  );
  return JSON.parse(stdout);
}

describe('readDotEnv', () => {
  const portAfterReading = '(env.readDotEnv(), process.env.PORT ?? null)';

  it('reads .env in the working directory', async () => {
    writeFileSync(join(workplace, '.env'), 'PORT=4000\n');

    expect(await start(portAfterReading)).toBe('4000');
  });

  it('prefers variables of the environment', async () => {
    writeFileSync(join(workplace, '.env'), 'PORT=4000\n');

    expect(await start(portAfterReading, { PORT: '5000' })).toBe('5000');
  });

  it('reads nothing in production', async () => {
    writeFileSync(join(workplace, '.env'), 'PORT=4000\n');

    expect(await start(portAfterReading, { NODE_ENV: 'production' })).toBeNull();
  });

  it('works without the file', async () => {
    expect(await start(portAfterReading)).toBeNull();
  });

  it('reports a .env that cannot be read', async () => {
    mkdirSync(join(workplace, '.env'));

    await expect(start(portAfterReading)).rejects.toThrow('.env');
  });
});

describe('processes that start together', () => {
  it('agree on the secrets that one of them generates', async () => {
    const secrets =
      '(({ jwtSecrets, encryptionKeys }) => [...jwtSecrets, ...encryptionKeys])(env.loadSettings({}))';

    const agreed = await Promise.all(Array.from({ length: 8 }, () => start(secrets)));

    expect(new Set(agreed.map(String)).size).toBe(1);
    const kept = ['jwt-secret', 'encryption-key'].map((file) =>
      readFileSync(join(workplace, 'data', file), 'utf8').trim(),
    );
    expect(agreed[0]).toEqual(kept);
  });
});
