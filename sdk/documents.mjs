import getPort from 'get-port';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Fetches both documents from a temporary process of the built server. */
export async function readDocuments() {
  const folder = await mkdtemp(join(tmpdir(), 'parley-sdk-'));
  const port = await getPort();
  const env = {
    ...process.env,
    PUBLIC_URL: '',
    NODE_ENV: 'development',
    DATA_DIR: folder,
    PORT: String(port),
    LOG_LEVEL: 'silent',
  };
  const server = spawn(process.execPath, ['.'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const read = (name) => fetchDocument(server, `http://127.0.0.1:${port}/${name}`);
  try {
    return { openApi: await read('openapi.json'), asyncApi: await read('asyncapi.json') };
  } finally {
    server.kill();
    if (server.exitCode === null) await once(server, 'exit');
    await rm(folder, { recursive: true, force: true });
  }
}

/** Drops event streams, which generated REST clients cannot read. */
export function withoutStreams(openApi) {
  const isStream = (operation) => 'text/event-stream' in (operation.responses[200]?.content ?? {});
  const paths = Object.entries(openApi.paths).map(([path, operations]) => [
    path,
    Object.fromEntries(Object.entries(operations).filter(([, operation]) => !isStream(operation))),
  ]);
  return { ...openApi, paths: Object.fromEntries(paths) };
}

/** Drops alternatives of required properties, of which generators make types of their own. */
export function withoutAlternatives(document) {
  const isAlternative = (schema) => Object.keys(schema).join() === 'required';
  return JSON.parse(JSON.stringify(document), (key, value) =>
    key === 'anyOf' && Array.isArray(value) && value.every(isAlternative) ? undefined : value,
  );
}

/** Drops schemas that no operation uses. */
export function withoutUnusedSchemas(openApi) {
  const { schemas, ...others } = openApi.components;
  const used = new Set();
  const collect = (node) => {
    for (const [, name] of JSON.stringify(node).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (!used.has(name)) collect(schemas[used.add(name) && name]);
    }
  };
  collect([openApi.paths, others]);
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)));
  return { ...openApi, components: { ...others, schemas: kept } };
}

async function fetchDocument(server, url) {
  for (let tries = 0; tries < 300 && server.exitCode === null; tries++) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return answer.json();
    await delay(100);
  }
  throw new Error('The built server did not start; run `npm run build` first.');
}
