/**
 * Runs deploy/nginx.conf, deploy/haproxy.cfg and deploy/Caddyfile, each with its names and addresses replaced, in front
 * of two production nodes, and chats through it on every transport, also while one node after the other is restarted.
 * Needs TEST_MYSQL_URL and TEST_REDIS_URL. `node .ci/proxies.mjs [nginx|haproxy|caddy]…` runs some of them.
 */
import getPort from 'get-port';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { createParley } from '../sdk/typescript/dist/esm/index.js';
import * as cluster from './cluster.mjs';

const { call, edited, newConversation, work } = cluster;

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
  haproxy: cluster.haproxy,
  caddy(ports) {
    const site = `https://127.0.0.1:${ports.https} {\n\ttls ${work}/cert.pem ${work}/key.pem`;
    const config = edited('Caddyfile', ports, [['chat.example.com {', site]]);
    const text = readFileSync(config, 'utf8');
    writeFileSync(config, `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${text}`);
    return ['caddy', ['run', '--config', config, '--adapter', 'caddyfile']];
  },
};

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
  const ports = { nodes: nodes.ports, http: await getPort(), https: await getPort() };
  const log = openSync(join(work, 'proxy.log'), 'w');
  const proxy = cluster.start(PROXIES[name](ports), { stdio: ['ignore', log, log] });
  const url = `https://127.0.0.1:${ports.https}`;
  try {
    await cluster.until(`${name} answers`, async () => (await fetch(`${url}/health/ready`)).ok);
    const account = await cluster.signUp(url, model);
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
await cluster.main(async () => {
  cluster.makeCertificate();
  const model = await cluster.startModel();
  const ports = [await getPort(), await getPort()];
  const nodes = new cluster.Nodes(ports, cluster.settings(await cluster.createDatabase(), model));
  await nodes.start(0);
  await nodes.start(1);
  for (const name of names) await check(name, nodes, model);
});
