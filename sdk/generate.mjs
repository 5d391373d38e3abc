/** `npm run sdk`: writes sdk/typescript/src/rest from the OpenAPI and AsyncAPI documents of the built server. */
import { createClient } from '@hey-api/openapi-ts';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { withEventTypes } from './event-types.mjs';

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
  const openApi = await fetchDocument('openapi.json');
  const asyncApi = await fetchDocument('asyncapi.json');
  const input = join(folder, 'input.json');
  await writeFile(input, JSON.stringify(closeEnums(withEventTypes(withoutStreams(openApi), asyncApi))));
  await createClient({
    input,
    output: { path: 'sdk/typescript/src/rest', clean: true },
    plugins: [
      { name: '@hey-api/client-fetch', throwOnError: true },
      {
        name: '@hey-api/sdk',
        responseStyle: 'data',
        operations: { strategy: 'single', containerName: 'Rest', methods: 'instance' },
      },
    ],
    logs: { level: 'warn', file: false },
  });
} finally {
  server.kill();
  await once(server, 'exit');
  await rm(folder, { recursive: true, force: true });
}

/** Drops event streams: the generated reader sends no Accept header and repeats refused requests without end. */
function withoutStreams(openApi) {
  const isStream = (operation) => 'text/event-stream' in (operation.responses[200]?.content ?? {});
  const paths = Object.entries(openApi.paths).map(([path, operations]) => [
    path,
    Object.fromEntries(Object.entries(operations).filter(([, operation]) => !isStream(operation))),
  ]);
  return { ...openApi, paths: Object.fromEntries(paths) };
}

/** Makes unions of known values: the types are erased, so unknown values do not throw. */
function closeEnums(document) {
  return JSON.parse(JSON.stringify(document).replaceAll('"x-extensible-enum":', '"enum":'));
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}

async function fetchDocument(name) {
  for (let tries = 0; tries < 100 && server.exitCode === null; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/${name}`).catch(() => null);
    if (answer?.ok) return answer.json();
    await delay(100);
  }
  throw new Error('The built server did not start; run `npm run build` first.');
}
