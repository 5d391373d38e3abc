/**
 * Runs deploy/nginx.conf, deploy/haproxy.cfg and deploy/Caddyfile, each with its names and addresses replaced, in front
 * of two production nodes, and chats through it on every transport, also while one node after the other is restarted.
 * Needs TEST_MYSQL_URL and TEST_REDIS_URL. `node .ci/proxies.mjs [nginx|haproxy|caddy]…` runs some of them.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { createParley } from '../sdk/typescript/dist/esm/index.js';

// The proxies' certificate is made here.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

const DEPLOY = new URL('../deploy/', import.meta.url);
const work = mkdtempSync(join(tmpdir(), 'parley-proxies-'));
const children = new Set();

/** Each writes its configuration, and returns the command that runs it. */
const PROXIES = {
  nginx(ports) {
    const config = edited('nginx.conf', ports, [
      ['listen 80;', `listen 127.0.0.1:${ports.http};`],
      ['listen 443 ssl http2;', `listen 127.0.0.1:${ports.https} ssl http2;`],
      ['/etc/nginx/tls/fullchain.pem', join(work, 'cert.pem')],
      ['/etc/nginx/tls/privkey.pem', join(work, 'key.pem')],
      ['/var/log/nginx/access.log', join(work, 'access.log')],
    ]);
    const directives = `daemon off; pid ${work}/nginx.pid; error_log ${work}/nginx.log;`;
    return ['nginx', ['-c', config, '-g', directives]];
  },
  haproxy(ports) {
    const config = edited('haproxy.cfg', ports, [
      ['bind :80', `bind 127.0.0.1:${ports.http}`],
      ['bind :443 ssl', `bind 127.0.0.1:${ports.https} ssl`],
      ['/etc/haproxy/tls/chat.example.com.pem', join(work, 'both.pem')],
    ]);
    return ['haproxy', ['-f', config, '-db']];
  },
  caddy(ports) {
    const site = `https://127.0.0.1:${ports.https} {\n\ttls ${work}/cert.pem ${work}/key.pem`;
    const config = edited('Caddyfile', ports, [['chat.example.com {', site]]);
    const text = readFileSync(config, 'utf8');
    writeFileSync(config, `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${text}`);
    return ['caddy', ['run', '--config', config, '--adapter', 'caddyfile']];
  },
};

/** Copies a file of deploy with replacements, each of which must apply. @returns the copy's path */
function edited(name, { nodes }, replacements) {
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

function makeCertificate() {
  const [key, cert] = [join(work, 'key.pem'), join(work, 'cert.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const options = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '1',
    '-keyout',
    key,
    '-out',
    cert,
  ];
  execFileSync('openssl', [...options, ...subject], { stdio: 'ignore' });
  writeFileSync(join(work, 'both.pem'), readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
}

async function freePort() {
  const probe = createTcpServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}

function start([command, args], options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function until(what, check, seconds = 30) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await delay(50)) {
    if (await check().catch(() => false)) return;
  }
  throw new Error(`Waited ${seconds} s: ${what}`);
}

/** A model that replies `words` numbered words, one every `pauseMs`, or waits for `release` after the first. */
async function startModel() {
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

async function createDatabase() {
  const name = `parley_proxies_${randomBytes(4).toString('hex')}`;
  const connection = await mysql.createConnection(process.env.TEST_MYSQL_URL);
  await connection.query(`CREATE DATABASE ${name}`);
  await connection.end();
  return `${process.env.TEST_MYSQL_URL.replace(/\/$/, '')}/${name}`;
}

/** Two production nodes. */
class Nodes {
  #running = [];

  constructor(ports, env) {
    this.ports = ports;
    this.env = { ...process.env, ...env, NODE_ENV: 'production', HOST: '127.0.0.1', LOG_LEVEL: 'error' };
  }

  async start(n) {
    this.#running[n] = start([process.execPath, ['.']], { env: { ...this.env, PORT: this.ports[n] } });
    const ready = `http://127.0.0.1:${this.ports[n]}/health/ready`;
    await until(`node ${n} is ready`, async () => (await fetch(ready)).ok);
  }

  async restart(n) {
    const node = this.#running[n];
    node.kill('SIGTERM');
    const [code] = await once(node, 'exit');
    assert.equal(code, 0, `node ${n} ended with ${code}`);
    await this.start(n);
  }
}

async function call(url, path, { token, body, method = body ? 'POST' : 'GET', headers = {} } = {}) {
  const authorization = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(url + path, {
    method,
    headers: { 'Content-Type': 'application/json', ...authorization, ...headers },
    body: body && (typeof body === 'string' ? body : JSON.stringify(body)),
  });
  assert.ok(response.ok, `${path}: ${response.status} ${(await response.clone().text()).slice(0, 300)}`);
  return response.json();
}

async function signUp(url, model) {
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

const newConversation = async (url, token) =>
  (await call(url, '/conversations/create', { token, body: {} })).id;

const storedReply = async (url, token, id) =>
  (await call(url, `/conversations/${id}`, { token })).messages.at(-1);

/** Sends over Socket.IO, and compares the deltas with what is stored. */
async function chatOverSocketIo(url, { token }, transports) {
  const id = await newConversation(url, token);
  const options = { transports, rejectUnauthorized: false, auth: { token }, reconnection: false };
  const socket = io(`${url}/chat`, { ...options, forceNew: true });
  let text = '';
  socket.on('message.delta', (delta) => (text = text.slice(0, delta.offset) + delta.text));
  const completed = new Promise((resolve) => {
    socket.on('message.completed', ({ conversation_id }) => conversation_id === id && resolve());
  });
  const failed = new Promise((_, reject) => {
    socket.on('connect_error', reject);
    socket.on('disconnect', (reason) => reject(new Error(`${transports}: ${reason}`)));
  });
  failed.catch(() => {});
  const { ok } = await Promise.race([
    socket.emitWithAck('chat.send', { conversation_id: id, content: 'Hi' }),
    failed,
  ]);
  assert.ok(ok);
  await Promise.race([completed, failed]);
  socket.disconnect();
  assert.equal(text, (await storedReply(url, token, id)).content);
}

async function chatOverWebSocket(url, { token }) {
  const id = await newConversation(url, token);
  const socket = new WebSocket(`${url.replace('https', 'wss')}/conversations/ws/${id}`, ['bearer', token]);
  let text = '';
  const completed = new Promise((resolve, reject) => {
    socket.onerror = reject;
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === 'conversation.snapshot')
        socket.send(JSON.stringify({ type: 'chat.send', id: 1, content: 'Hi' }));
      if (frame.type === 'message.delta') text = text.slice(0, frame.offset) + frame.text;
      if (frame.type === 'message.completed') resolve();
    };
  });
  await completed;
  socket.onclose = null;
  socket.close();
  assert.equal(text, (await storedReply(url, token, id)).content);
}

/** The first delta must arrive while the model still waits: nothing buffers the stream. */
async function streamUnbuffered(url, { token }, model) {
  const id = await newConversation(url, token);
  let release;
  model.release = new Promise((resolve) => (release = resolve));
  const response = await fetch(`${url}/conversations/${id}/chat`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'text/event-stream',
      Authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({ content: 'Hi' }),
    signal: AbortSignal.timeout(20_000),
  });
  let stream = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    stream += piece;
    if (stream.includes('message.delta')) release();
  }
  model.release = undefined;
  assert.match(stream, /event: message.completed/);
}

/** The longest message with every character escaped is the server's to accept, 2 MB are the proxy's to refuse. */
async function sendLong(url, { token }) {
  const id = await newConversation(url, token);
  const body = `{"content":"${'\\ud83d\\ude00'.repeat(100_000)}"}`;
  const { user_message } = await call(url, `/conversations/${id}/chat`, { token, body });
  assert.equal(user_message.content, '😀'.repeat(100_000));
}

/** A file may be larger than other bodies. */
async function uploadFile(url, { token }) {
  const text = 'Twelve bytes'.repeat(400_000);
  const form = new FormData();
  form.set('file', new Blob([text]), 'long.txt');
  const response = await fetch(`${url}/files`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
    body: form,
  });
  assert.equal(response.status, 201, await response.clone().text());
  assert.equal((await response.json()).bytes, text.length);
}

/** Clients chat and read while one node after the other is restarted. No read may fail, no text may differ. */
async function restartNodes(url, account, nodes, model) {
  Object.assign(model, { words: 60, pauseMs: 50 });
  const parley = createParley({ baseUrl: url });
  await parley.auth.login({ email: account.email, password: account.password });
  let isOver = false;
  const tally = { replies: 0, reads: 0 };
  const chat = async () => {
    const { id } = await parley.conversations.create();
    const conversation = parley.conversation(id);
    while (!isOver) {
      let text = '';
      const reply = conversation.send('Hi');
      for await (const piece of reply) text += piece;
      const { content, status } = await reply.done;
      assert.deepEqual([status, text], ['complete', content]);
      tally.replies++;
    }
    const { messages } = await call(url, `/conversations/${id}?limit=200`, { token: account.token });
    assert.ok(messages.every(({ status }) => status === 'complete'));
    conversation.close();
  };
  const read = async () => {
    for (; !isOver; tally.reads++) {
      await call(url, '/conversations', { token: account.token });
      await delay(20);
    }
  };
  const work = [chat(), chat(), chat(), chat(), read(), read()];
  const restarts = (async () => {
    for (const n of [0, 1]) {
      await nodes.restart(n);
      await delay(2500); // the proxies probe every second
    }
  })();
  await Promise.race([restarts, Promise.all(work)]);
  isOver = true;
  await Promise.all(work);
  parley.close();
  Object.assign(model, { words: 40, pauseMs: 5 });
  return tally;
}

async function check(name, nodes, model) {
  const ports = { nodes: nodes.ports, http: await freePort(), https: await freePort() };
  const log = openSync(join(work, 'proxy.log'), 'w');
  const proxy = start(PROXIES[name](ports), { stdio: ['ignore', log, log] });
  const url = `https://127.0.0.1:${ports.https}`;
  try {
    await until(`${name} answers`, async () => (await fetch(`${url}/health/ready`)).ok);
    const account = await signUp(url, model);
    const websocket = () => chatOverSocketIo(url, account, ['websocket']);
    const polled = () => chatOverSocketIo(url, account, ['polling']);
    const upgraded = () => chatOverSocketIo(url, account, ['polling', 'websocket']);
    await Promise.all([websocket, websocket, polled, polled, upgraded, upgraded].map((run) => run()));
    await chatOverWebSocket(url, account);
    await streamUnbuffered(url, account, model);
    await sendLong(url, account);
    await uploadFile(url, account);
    const { replies, reads } = await restartNodes(url, account, nodes, model);
    console.log(`✓ ${name}: every transport; ${replies} replies and ${reads} reads over two restarts`);
  } catch (error) {
    console.error(
      `✗ ${name}, whose log ends with\n${readFileSync(join(work, 'proxy.log'), 'utf8').slice(-2000)}`,
    );
    throw error;
  } finally {
    proxy.kill();
    await Promise.race([once(proxy, 'exit'), delay(2000)]); // Caddy waits for open connections
    proxy.kill('SIGKILL');
  }
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PROXIES);
let failed = false;
try {
  makeCertificate();
  const model = await startModel();
  const nodes = new Nodes([await freePort(), await freePort()], {
    DATA_DIR: join(work, 'data'),
    DATABASE_URL: await createDatabase(),
    MIGRATE_ON_START: 'true',
    REDIS_URL: process.env.TEST_REDIS_URL,
    TRUST_PROXY: 'loopback',
    MODEL_URL_ALLOWED_HOSTS: model.host,
    RATE_LIMIT_SCALE: '0',
    SHUTDOWN_DELAY_S: '3',
    JWT_SECRETS: randomBytes(48).toString('base64'),
    ENCRYPTION_KEYS: randomBytes(32).toString('base64url') + '=',
  });
  await nodes.start(0);
  await nodes.start(1);
  for (const name of names) await check(name, nodes, model);
} catch (error) {
  failed = true;
  console.error(error);
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(work, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
