/** Parts of the checks that run two production nodes. Needs TEST_MYSQL_URL and TEST_REDIS_URL. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import getPort from 'get-port';
import mysql from 'mysql2/promise';

// The proxies' certificate is made here.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

const DEPLOY = new URL('../deploy/', import.meta.url);
export const work = mkdtempSync(join(tmpdir(), 'parley-cluster-'));
const children = new Set();
const databases = [];

const MAX_CHECK_MS = 300_000;

/** Runs a check, ends every process that it started, and exits. */
export async function main(check) {
  let code = 0;
  try {
    const tooLate = delay(MAX_CHECK_MS).then(() => assert.fail(`still running after ${MAX_CHECK_MS} ms`));
    await Promise.race([check(), tooLate]);
  } catch (error) {
    code = 1;
    console.error(error);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(databases.map(dropDatabase));
    rmSync(work, { recursive: true, force: true });
  }
  process.exit(code);
}

/** Copies a file of deploy with replacements, each of which must apply. @returns the copy's path */
export function edited(name, { nodes }, replacements) {
  let text = readFileSync(new URL(name, DEPLOY), 'utf8');
  const addresses = [
    ['10.0.0.11:3000', `127.0.0.1:${nodes[0]}`],
    ['10.0.0.12:3000', `127.0.0.1:${nodes[1]}`],
  ];
  for (const [from, to] of [...addresses, ...replacements]) {
    assert.ok(text.includes(from), `deploy/${name} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  writeFileSync(join(work, name), text);
  return join(work, name);
}

/** Returns the command that runs HAProxy with deploy/haproxy.cfg. */
export function haproxy(ports) {
  const config = edited('haproxy.cfg', ports, [
    ['bind :80', `bind 127.0.0.1:${ports.http}`],
    ['bind :443 ssl', `bind 127.0.0.1:${ports.https} ssl`],
    ['/etc/haproxy/tls/chat.example.com.pem', join(work, 'both.pem')],
  ]);
  return ['haproxy', ['-f', config, '-db']];
}

export function makeCertificate() {
  const [key, cert] = [join(work, 'key.pem'), join(work, 'cert.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const options = 'req -x509 -newkey rsa:2048 -nodes -days 1 -keyout'.split(' ');
  execFileSync('openssl', [...options, key, '-out', cert, ...subject], { stdio: 'ignore' });
  writeFileSync(join(work, 'both.pem'), readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
}

export function start([command, args], options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

export async function until(what, check, seconds = 30) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await delay(50)) {
    if (await check().catch(() => false)) return;
  }
  throw new Error(`Waited ${seconds} s: ${what}`);
}

/** A model that replies `words` numbered words, one every `pauseMs`, or waits for `release` after the first. */
export async function startModel() {
  const state = { words: 40, pauseMs: 5, release: undefined };
  const server = createServer(async (request, response) => {
    request.resume();
    await once(request, 'end');
    const send = (delta, finish_reason = null) =>
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    for (let n = 0; n < state.words; n++) {
      send({ content: `word${n} ` });
      await (state.release && n === 0 ? state.release : delay(state.pauseMs));
    }
    send({}, 'stop');
    response.end('data: [DONE]\n\n');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return Object.assign(state, { server, host: `127.0.0.1:${server.address().port}` });
}

/** Creates a database that `main` drops. @param server URL of a MySQL server */
export async function createDatabase(server = process.env.TEST_MYSQL_URL) {
  const name = `parley_ci_${randomBytes(4).toString('hex')}`;
  const connection = await mysql.createConnection(server);
  await connection.query(`CREATE DATABASE ${name}`);
  await connection.end();
  databases.push({ server, name });
  return `${server.replace(/\/$/, '')}/${name}`;
}

async function dropDatabase({ server, name }) {
  try {
    const connection = await mysql.createConnection(server);
    await connection.query(`DROP DATABASE ${name}`);
    await connection.end();
  } catch {
    // The server was killed.
  }
}

/** Production settings of nodes behind a proxy on this machine. */
export function settings(databaseUrl, model) {
  return {
    DATA_DIR: join(work, 'data'),
    DATABASE_URL: databaseUrl,
    MIGRATE_ON_START: 'true',
    REDIS_URL: process.env.TEST_REDIS_URL,
    TRUST_PROXY: 'loopback',
    MODEL_URL_ALLOWED_HOSTS: model.host,
    RATE_LIMIT_SCALE: '0',
    SHUTDOWN_DELAY_S: '3',
    JWT_SECRETS: randomBytes(48).toString('base64'),
    ENCRYPTION_KEYS: randomBytes(32).toString('base64url') + '=',
  };
}

/** Two production nodes. */
export class Nodes {
  #running = [];

  constructor(ports, env) {
    this.ports = ports;
    this.env = { ...process.env, LOG_LEVEL: 'error', ...env, NODE_ENV: 'production', HOST: '127.0.0.1' };
  }

  /** @param cwd folder of the build to run */
  async start(n, { cwd, ...env } = {}) {
    const options = { env: { ...this.env, PORT: this.ports[n], ...env }, cwd };
    this.#running[n] = start([process.execPath, ['.']], options);
    const ready = `http://127.0.0.1:${this.ports[n]}/health/ready`;
    await until(`node ${n} is ready`, async () => (await fetch(ready)).ok);
  }

  /** Ends the node with SIGTERM. It must exit with 0. */
  async restart(n, options) {
    const node = this.#running[n];
    node.kill('SIGTERM');
    const [code] = await once(node, 'exit');
    assert.equal(code, 0, `node ${n} ended with ${code}`);
    await this.start(n, options);
  }
}

/** Starts two nodes behind HAProxy. @returns its URL, and their addresses */
export async function startBehindHaproxy(env) {
  const ports = {
    nodes: [await getPort(), await getPort()],
    http: await getPort(),
    https: await getPort(),
  };
  const nodes = new Nodes(ports.nodes, env);
  await nodes.start(0);
  await nodes.start(1);
  const log = openSync(join(work, 'haproxy.log'), 'w');
  start(haproxy(ports), { stdio: ['ignore', log, log] });
  const url = `https://127.0.0.1:${ports.https}`;
  await until('HAProxy answers', async () => (await fetch(`${url}/health/ready`)).ok);
  return { url, addresses: ports.nodes.map((port) => `http://127.0.0.1:${port}`) };
}

export async function call(url, path, { token, body, method = body ? 'POST' : 'GET', headers = {} } = {}) {
  const authorization = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(url + path, {
    method,
    headers: { 'Content-Type': 'application/json', ...authorization, ...headers },
    body: body && (typeof body === 'string' ? body : JSON.stringify(body)),
  });
  assert.ok(response.ok, `${path}: ${response.status} ${(await response.clone().text()).slice(0, 300)}`);
  return response.json();
}

export async function signUp(url, model) {
  const username = `user-${randomUUID().slice(0, 8)}`;
  const account = { username, email: `${username}@example.com`, password: randomUUID() };
  await call(url, '/auth/register', { body: account });
  // A client must not choose the address that it is known by.
  const forged = { 'X-Forwarded-For': '203.0.113.9', 'X-Real-IP': '203.0.113.9' };
  const { email, password } = account;
  const { access_token: token } = await call(url, '/auth/login', {
    body: { email, password },
    headers: forged,
  });
  const { sessions } = await call(url, '/auth/sessions', { token });
  assert.deepEqual(
    sessions.map(({ ip }) => ip),
    ['127.0.0.1'],
  );
  const config = { model_url: `http://${model.host}/v1`, model_name: 'words', api_key: 'sk-test' };
  await call(url, '/auth/config/create', { token, body: config });
  return { ...account, token };
}

export const newConversation = async (url, token) =>
  (await call(url, '/conversations/create', { token, body: {} })).id;
