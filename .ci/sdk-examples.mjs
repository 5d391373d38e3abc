/**
 * Runs the examples of sdk/examples against the built server, through a proxy that cuts the connection before the first
 * acknowledgement and twice during the reply, and whose access tokens expire in a minute. What each example printed
 * must be the stored reply. Those that use Socket.IO run over long polling too, where one response has several packets.
 * `node .ci/sdk-examples.mjs [browser|python|kotlin|go|curl]…` runs some of them.
 */
import getPort from 'get-port';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const EXAMPLES = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../sdk/examples');
const QUESTION = 'Do 🎉 and 👩🏽‍🚀 arrive whole, “quoted” and all?';
/** The server announces the end of an access token 60 s before: here as soon as a client connects. */
const TOKEN_SECONDS = 60;
/** Time in which the server gathers packets for one response. */
const POLL_DELAY_MS = 200;
const JWT_SECRET = randomBytes(48).toString('base64');
const SOCKET_IO_EXAMPLES = ['browser', 'python', 'kotlin'];
const work = mkdtempSync(join(tmpdir(), 'parley-examples-'));

/** Each builds an example, and resolves with the command that runs it. */
const BUILDS = {
  async python() {
    const executable = join(work, 'venv/bin/python');
    const requirements = join(EXAMPLES, 'python/requirements.txt');
    await run(['python3', ['-m', 'venv', join(work, 'venv')]]);
    await run([
      executable,
      ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', requirements],
    ]);
    return [executable, [join(EXAMPLES, 'python/chat.py'), QUESTION]];
  },
  async kotlin() {
    const target = join(work, 'kotlin');
    await run(['mvn', ['-q', '-B', `-DbuildDirectory=${target}`, 'package']], {
      cwd: join(EXAMPLES, 'kotlin'),
    });
    return ['java', ['-cp', `${target}/classes:${target}/dependency/*`, 'ChatKt', QUESTION]];
  },
  async go() {
    const executable = join(work, 'chat');
    await run(['go', ['build', '-o', executable, '.']], { cwd: join(EXAMPLES, 'go') });
    return [executable, [QUESTION]];
  },
  curl: () => ['bash', [join(EXAMPLES, 'curl/chat.sh'), QUESTION]],
};

/** Runs a command to its end. Resolves with what it printed. */
async function run([command, args], { cwd, env, timeoutMs = 180_000 } = {}) {
  const options = { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] };
  const child = spawn(command, args, options);
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const exit = once(child, 'exit');
  const output = await text(child.stdout);
  const [code] = await exit;
  clearTimeout(timer);
  assert.equal(code, 0, `${command} ended with ${code} after printing: ${output}`);
  return output;
}

async function text(stream) {
  let all = '';
  for await (const piece of stream.setEncoding('utf8')) all += piece;
  return all;
}

async function startServer() {
  const port = await getPort();
  const env = { ...process.env, NODE_ENV: 'development', DATA_DIR: work, PORT: port, LOG_LEVEL: 'silent' };
  const options = { env: { ...env, JWT_SECRETS: JWT_SECRET, RATE_LIMIT_SCALE: '0' }, stdio: 'ignore' };
  const child = spawn(process.execPath, ['.'], options);
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 150; tries++) {
    if (
      await fetch(`${url}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return { url, port, child };
    await delay(100);
  }
  throw new Error('The built server did not start; run `npm run build` first.');
}

/** Cuts before the first acknowledgement or `message.created` reaches the client, and during the reply. */
class Cuts {
  done = [];
  deltas = 0;
  /** How often the reply was read anew: once a connection, unless deltas seem to leave a gap. */
  reads = 0;

  /** @returns whether to cut the connection that this piece of the server's bytes came on, instead of forwarding it */
  isDue(piece) {
    const bytes = piece.toString('latin1');
    if (/"has_more"|event: message.created/.test(bytes)) this.reads++;
    this.deltas += bytes.split('message.delta').length - 1;
    if (!this.done.includes('answer') && /"user_message"|event: message.created/.test(bytes))
      return this.cut('answer');
    if (!this.done.includes('early') && this.deltas > 10) return this.cut('early');
    return !this.done.includes('late') && this.done.includes('early') && this.deltas > 0 && this.cut('late');
  }

  cut(name) {
    this.done.push(name);
    this.deltas = 0;
    return true;
  }
}

/** A proxy in front of the server that cuts connections, and shortens the life of access tokens. */
async function startProxy(port, { isPolling }) {
  const proxy = createServer();
  const state = { cuts: new Cuts(), refreshes: 0, server: proxy };
  proxy.on('request', async (incoming, outgoing) => {
    if (incoming.url === '/chat.html') return outgoing.end(readFileSync(join(EXAMPLES, 'browser/chat.html')));
    if (incoming.url === '/auth/refresh') state.refreshes++;
    const { method, url: path, headers } = incoming;
    if (isPolling && method === 'GET') await delay(POLL_DELAY_MS);
    const forwarded = request({ port, method, path, headers: { ...headers, 'accept-encoding': 'identity' } });
    incoming.pipe(forwarded);
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    forwarded.on('response', (response) => void answer(incoming, response, outgoing, state.cuts));
  });
  proxy.on('upgrade', (incoming, client, head) => {
    if (isPolling) return client.destroy();
    const server = connect(port, () => {
      const lines = incoming.rawHeaders.flatMap((name, i, all) => (i % 2 ? [] : [`${name}: ${all[i + 1]}`]));
      server.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      server.write(head);
      client.pipe(server);
    });
    server.on('data', (piece) => (state.cuts.isDue(piece) ? client.destroy() : client.write(piece)));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ]) {
      one.on('error', () => {}).on('close', () => other.destroy());
    }
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  return Object.assign(state, { url: `http://127.0.0.1:${proxy.address().port}` });
}

async function answer({ url }, response, outgoing, cuts) {
  const headers = { ...response.headers };
  delete headers['content-length'];
  if (url === '/auth/login') {
    outgoing.writeHead(response.statusCode, headers);
    return outgoing.end(shortened(await text(response)));
  }
  outgoing.writeHead(response.statusCode, headers);
  response.on('data', (piece) => (cuts.isDue(piece) ? outgoing.destroy() : outgoing.write(piece)));
  response.on('end', () => outgoing.end()).on('error', () => outgoing.destroy());
}

/** Signs the access token of a login again, to expire soon. */
function shortened(json) {
  const pair = JSON.parse(json);
  if (!pair.access_token) return json;
  const [header, payload] = pair.access_token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  const exp = Math.floor(Date.now() / 1000) + TOKEN_SECONDS;
  const body = Buffer.from(JSON.stringify({ ...claims, exp })).toString('base64url');
  const signature = createHmac('sha256', JWT_SECRET).update(`${header}.${body}`).digest('base64url');
  return JSON.stringify({
    ...pair,
    access_token: `${header}.${body}.${signature}`,
    expires_in: TOKEN_SECONDS,
  });
}

/** Clicks through the page in Chromium. */
async function browse(url, { email, password }) {
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`${url}/chat.html`);
    await page.fill('[name=email]', email);
    await page.fill('[name=password]', password);
    await page.click('text=Sign in');
    await page.fill('[name=content]', QUESTION);
    await page.click('text=Send');
    const reply = page.locator('[data-role=assistant][data-status=complete]');
    await reply.waitFor({ timeout: 60_000 });
    return await reply.textContent();
  } finally {
    await browser.close();
  }
}

async function call(url, path, token, body) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  const response = await fetch(url + path, {
    method: body ? 'POST' : 'GET',
    headers,
    body: JSON.stringify(body),
  });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.json();
}

async function createAccount(url) {
  const username = `user-${randomUUID().slice(0, 8)}`;
  const account = { username, email: `${username}@example.com`, password: randomUUID() };
  await call(url, '/auth/register', null, account);
  return account;
}

async function storedMessages(url, { email, password }) {
  const { access_token } = await call(url, '/auth/login', null, { email, password });
  const { conversations } = await call(url, '/conversations', access_token);
  assert.equal(conversations.length, 1);
  return (await call(url, `/conversations/${conversations[0].id}`, access_token)).messages;
}

async function check(name, command, server, { isPolling }) {
  const account = await createAccount(server.url);
  const proxy = await startProxy(server.port, { isPolling });
  const env = { PARLEY_URL: proxy.url, PARLEY_EMAIL: account.email, PARLEY_PASSWORD: account.password };
  try {
    const shown = command ? await run(command, { env, timeoutMs: 45_000 }) : await browse(proxy.url, account);
    const messages = await storedMessages(server.url, account);
    assert.deepEqual(
      messages.map(({ role, status }) => [role, status]),
      [
        ['user', 'complete'],
        ['assistant', 'complete'],
      ],
    );
    assert.equal(messages[0].content, QUESTION);
    assert.match(messages[1].content, /🎉 and 👩🏽‍🚀/u);
    assert.equal(shown.trimEnd(), messages[1].content.trimEnd());
    assert.deepEqual(proxy.cuts.done, ['answer', 'early', 'late']);
    assert.ok(
      proxy.cuts.reads <= 5,
      `The conversation was read ${proxy.cuts.reads} times: are offsets in UTF-16?`,
    );
    assert.ok(proxy.refreshes > 0, 'The access token was not refreshed.');
    console.log(`✓ ${name}${isPolling ? ' over long polling' : ''}: ${shown.length} characters over 3 cuts`);
  } finally {
    proxy.server.closeAllConnections();
    proxy.server.close();
  }
}

/** Builds an example and runs it over each of its transports. */
async function checkTransports(name, server) {
  const command = await BUILDS[name]?.();
  await check(name, command, server, { isPolling: false });
  if (SOCKET_IO_EXAMPLES.includes(name)) await check(name, command, server, { isPolling: true });
}

const names = process.argv.length > 2 ? process.argv.slice(2) : ['browser', ...Object.keys(BUILDS)];
const server = await startServer();
const results = await Promise.allSettled(names.map((name) => checkTransports(name, server)));
server.child.kill();
await once(server.child, 'exit');
rmSync(work, { recursive: true, force: true });
for (const [i, { reason }] of results.entries()) if (reason) console.error(`✗ ${names[i]}:`, reason);
process.exit(results.some(({ reason }) => reason) ? 1 : 0);
