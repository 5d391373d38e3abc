/**
 * Fuzzes every operation of the OpenAPI document with Schemathesis, those under /admin as an admin. Needs the build
 * (`npm run build`) and Schemathesis (`python3 -m venv .venv && .venv/bin/pip install schemathesis==4.32.5`):
 *
 *   PATH=.venv/bin:$PATH node test/security/fuzz/run.mjs [examples per operation, 2000 by default] [Schemathesis options]
 *
 * Fails on a status of 500 or more, on a response that the document does not describe, and if the server exits. Prints
 * the number of requests by status and the server's resident memory.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'ignored_auth',
].join(',');
const SAMPLE_MS = 10_000;

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));
const [examples = '2000', ...options] = process.argv.slice(2);

const provider = createServer((request, response) => {
  if (request.url.endsWith('/models')) {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    return response.end('{"object":"list","data":[{"id":"played","object":"model"}]}');
  }
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const chunk = { choices: [{ index: 0, delta: { content: 'Hello.' }, finish_reason: 'stop' }] };
  request.resume().on('end', () => response.end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`));
}).listen(0, '127.0.0.1');
await once(provider, 'listening');

const folder = mkdtempSync(join(tmpdir(), 'parley-fuzz-'));
const answers = new Map();
const settings = { NODE_ENV: 'test', DATA_DIR: folder, PORT: '0', RATE_LIMIT_SCALE: '0' };
const server = spawn(process.execPath, [pathOf('../../../dist/server/main.js')], {
  cwd: folder,
  env: { PATH: process.env.PATH, ...settings },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const url = await new Promise((resolve, reject) => {
  server.once('exit', (code) => reject(new Error(`The server ended with ${code}`)));
  createInterface({ input: server.stdout }).on('line', (line) => {
    const entry = JSON.parse(line);
    if (entry.msg === 'Parley is listening') resolve(entry.url);
    if (entry.status) answers.set(entry.status, (answers.get(entry.status) ?? 0) + 1);
    if (entry.level === 'error' || entry.level === 'fatal' || entry.status >= 500) console.log(line);
  });
});

const megabytes = () =>
  Math.round(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1] / 1024);
const total = () => [...answers.values()].reduce((sum, count) => sum + count, 0);
const sample = () => console.log(`${total()} requests, ${megabytes()} MB`);
const sampling = setInterval(sample, SAMPLE_MS);

const phases = ['--phases', 'examples,coverage,fuzzing'];
const generation = ['-n', examples, '--continue-on-failure', '--suppress-health-check', 'all'];
const schemathesis = spawn(
  'schemathesis',
  ['run', `${url}/openapi.json`, '-c', CHECKS, ...phases, ...generation, ...options],
  {
    // For its cache.
    cwd: folder,
    env: {
      ...process.env,
      ...settings,
      SCHEMATHESIS_HOOKS: 'hooks',
      PYTHONPATH: pathOf('.'),
      PYTHONDONTWRITEBYTECODE: '1',
      FUZZ_URL: url,
      FUZZ_ADMIN_COMMAND: pathOf('../../../dist/server/admin.js'),
      FUZZ_PROVIDER_URL: `http://127.0.0.1:${provider.address().port}/v1`,
    },
    stdio: 'inherit',
  },
);
const [code] = await once(schemathesis, 'exit');
clearInterval(sampling);
const isAlive = server.exitCode === null && server.signalCode === null;
if (isAlive) sample();
console.log(isAlive ? 'The server lives.' : 'The server died.', Object.fromEntries([...answers].sort()));
server.removeAllListeners('exit').kill('SIGKILL');
provider.close();
provider.closeAllConnections();
rmSync(folder, { recursive: true, force: true });
process.exitCode = code === 0 && isAlive && [...answers.keys()].every((status) => status < 500) ? 0 : 1;
