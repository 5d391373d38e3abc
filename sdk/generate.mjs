/** `npm run sdk`: writes sdk/typescript from the OpenAPI document of the built server. */
import { createClient } from '@hey-api/openapi-ts';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const folder = await mkdtemp(join(tmpdir(), 'parley-sdk-'));
const port = await freePort();
const env = {
  ...process.env,
  NODE_ENV: 'development',
  DATA_DIR: folder,
  PORT: String(port),
  LOG_LEVEL: 'silent',
};
const server = spawn(process.execPath, ['.'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
try {
  const input = join(folder, 'openapi.json');
  await writeFile(input, await fetchDocument(`http://127.0.0.1:${port}/openapi.json`));
  const output = { path: 'sdk/typescript', clean: true };
  await createClient({
    input,
    output,
    plugins: ['@hey-api/client-fetch'],
    logs: { level: 'warn', file: false },
  });
} finally {
  server.kill();
  await once(server, 'exit');
  await rm(folder, { recursive: true, force: true });
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}

async function fetchDocument(url) {
  for (let tries = 0; tries < 100 && server.exitCode === null; tries++) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return answer.text();
    await delay(100);
  }
  throw new Error('The built server did not start; run `npm run build` first.');
}
