import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ServerProcess } from '../support/app/server-process.js';
import { fernetKey, jwtSecret } from '../support/secrets.js';

const PLANTED = randomBytes(16).toString('hex');
const JWT_SECRETS = jwtSecret();
const ENCRYPTION_KEYS = fernetKey();
const FAULT = pathToFileURL(join(import.meta.dirname, 'crash-on-signal.mjs')).href;

let folder: string;
let server: ServerProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-crash-'));
});
afterEach(() => server?.close());
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The built server, which fails at SIGUSR2 or SIGHUP with `PLANTED` on the error. */
async function start(logLevel: string): Promise<ServerProcess> {
  const env = {
    NODE_OPTIONS: `--import ${FAULT}`,
    PLANTED,
    JWT_SECRETS,
    ENCRYPTION_KEYS,
    LOG_LEVEL: logLevel,
  };
  server = new ServerProcess(folder, env);
  await server.url();
  return server;
}

describe.each(['SIGUSR2', 'SIGHUP'] as const)('a crash (%s)', (signal) => {
  it('prints what failed and where, but not the error’s properties', async () => {
    const server = await start('trace');
    server.signal(signal);
    const { code, stderr } = await server.exited;

    expect(code).toBe(1);
    const fatal = await server.log.until(({ level }) => level === 'fatal');
    expect(fatal.error).toMatchObject({
      message: 'The planted fault',
      cause: { message: 'The inner fault' },
    });
    expect((fatal.error as { stack: string }).stack).toContain('crash-on-signal.mjs');
    for (const secret of [PLANTED, JWT_SECRETS, ENCRYPTION_KEYS]) {
      expect(stderr + server.log.text).not.toContain(secret);
    }
  });
});
