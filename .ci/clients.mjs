/** Clients of every transport that chat until the run is over, and resume as docs/clients.md says. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { createParley } from '../sdk/typescript/dist/esm/index.js';
import { call, newConversation } from './cluster.mjs';

const RETRY_MS = 100;
/** Statuses that a client waits for and repeats: of Parley by docs/clients.md, and of a proxy without a node. */
const RETRIABLE = [429, 502, 503, 504];
/** A problem with this status has the reply that did not complete. */
const REPLY_FAILED = 502;
/** RFC 6455 section 7.4: going away, abnormal, internal error, restart, try again. */
const RETRIABLE_CLOSES = [1001, 1006, 1011, 1012, 1013];

/** A reply's text from its events, over any number of connections. */
class ReceivedReply {
  text = '';
  completed = null;

  constructor({ onDelta }) {
    this.onDelta = onDelta;
  }

  apply({ type, message, offset, text }) {
    if (type === 'message.delta') {
      assert.ok(offset <= this.text.length, `a gap before ${offset}, after ${this.text.length}`);
      this.text = this.text.slice(0, offset) + text;
      this.onDelta();
    } else if (message?.role === 'assistant') {
      if (type === 'message.completed') this.completed = message;
      else if (message.content.length > this.text.length) this.text = message.content;
    }
  }

  /** Continues from the reply as the server has it. */
  resume(message) {
    const isOver = message.status !== 'streaming';
    if (isOver) this.text = message.content;
    this.apply({ type: isOver ? 'message.completed' : 'message.created', message });
  }
}

/** Chats of clients, with what they saw. */
export class Run {
  isOver = false;
  /** Each with the acknowledged messages and their replies. */
  conversations = [];
  /** Longest time in ms without a delta, by transport. */
  silenceMs = {};

  /** Chats until `isOver` over each transport, in `clients` conversations each. */
  async chat(url, account, clients = 1) {
    const all = Array.from({ length: clients }, () => Object.entries(TRANSPORTS)).flat();
    await Promise.all(all.map(([name, send]) => this.#converse(url, account, name, send)));
  }

  get interrupted() {
    return this.conversations.flatMap(({ seen }) => seen).filter(({ status }) => status !== 'complete')
      .length;
  }

  /** Every conversation has each acknowledged message once, and each reply as its client saw it. */
  async compare(url, { token }) {
    let replies = 0;
    for (const { id, name, sent, seen } of this.conversations) {
      const { messages } = await call(url, `/conversations/${id}?limit=200`, { token });
      const stored = messages.filter(({ role }) => role === 'assistant');
      const asked = messages.filter(({ role }) => role === 'user').map(({ content }) => content);
      assert.deepEqual(asked, sent, `${name}: messages`);
      assert.deepEqual(
        stored.map(({ content, status }) => [content, status]),
        seen.map(({ content, status }) => [content, status]),
        `${name}: replies`,
      );
      replies += stored.length;
    }
    return replies;
  }

  async #converse(url, { token, email, password }, name, send) {
    const id = await newConversation(url, token);
    const conversation = { id, name, sent: [], seen: [] };
    this.conversations.push(conversation);
    const peer = { url, token, id, email, password };
    peer.onDelta = this.#measure(name);
    while (!this.isOver) {
      const uuid = randomUUID();
      const body = { content: `Hi ${uuid}`, client_message_id: uuid };
      const { text, message } = await send(peer, body);
      assert.equal(text, message.content, name);
      conversation.sent.push(body.content);
      conversation.seen.push(message);
    }
    peer.close?.();
  }

  /** @returns a function to call with each delta */
  #measure(name) {
    let last = Infinity;
    return (now = Date.now()) => {
      this.silenceMs[name] = Math.max(this.silenceMs[name] ?? 0, now - last);
      last = now;
    };
  }
}

/** POSTs until the answer is final. */
async function post({ url, token, id, headers }, body, accept) {
  for (; ; await delay(RETRY_MS)) {
    const response = await fetch(`${url}/conversations/${id}/chat`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Accept: accept,
        Authorization: `Bearer ${token}`,
        ...headers,
      },
      body: JSON.stringify(body),
    }).catch(() => null);
    const isProblem = response?.headers.get('content-type')?.includes('problem+json');
    if (response?.ok || (isProblem && response.status === REPLY_FAILED)) return response;
    if (response)
      assert.ok(RETRIABLE.includes(response.status), `${response.status} ${await response.text()}`);
  }
}

/** Has no text before the whole answer. */
export async function overJson(peer, body) {
  for (;;) {
    const response = await post(peer, body, 'application/json');
    const answer = await response.json().catch(() => null);
    if (answer) return { text: answer.assistant_message.content, message: answer.assistant_message };
  }
}

/** A repeated send continues the reply. */
async function overEvents(peer, body) {
  const reply = new ReceivedReply(peer);
  while (!reply.completed) {
    const response = await post(peer, body, 'text/event-stream');
    await readEvents(response.body, (event) => reply.apply(event)).catch((error) => {
      if (error instanceof assert.AssertionError) throw error;
    });
  }
  return { text: reply.text, message: reply.completed };
}

async function readEvents(body, onEvent) {
  let rest = '';
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop();
    for (const line of lines) if (line.startsWith('data:')) onEvent(JSON.parse(line.slice(5)));
  }
}

async function overWebSocket(peer, body) {
  const reply = new ReceivedReply(peer);
  const onFrame = (socket, { type, ok, error, data, messages, ...event }) => {
    if (type === 'conversation.snapshot') {
      if (messages.at(-1)?.status === 'streaming') reply.resume(messages.at(-1));
      socket.send(JSON.stringify({ type: 'chat.send', id: 1, ...body }));
    } else if (type !== 'ack') {
      reply.apply({ type, ...event });
    } else if (ok) {
      reply.resume(data.assistant_message);
    } else {
      assert.ok(RETRIABLE.includes(error.status), JSON.stringify(error));
      socket.close();
    }
  };
  for (; !reply.completed; await delay(RETRY_MS)) await readWebSocket(peer, reply, onFrame);
  return { text: reply.text, message: reply.completed };
}

/** Follows the only reply of a conversation, and joins again as often as necessary. @returns its text */
export async function follow(peer) {
  const reply = new ReceivedReply(peer);
  const onFrame = (_, { type, messages, ...event }) => {
    if (type !== 'conversation.snapshot') return reply.apply({ type, ...event });
    if (messages[1]) reply.resume(messages[1]);
    peer.onJoin?.();
  };
  for (; !reply.completed; await delay(RETRY_MS)) await readWebSocket(peer, reply, onFrame);
  assert.equal(reply.text, reply.completed.content);
  return reply.text;
}

/** Ends with the reply or the connection. */
function readWebSocket({ url, token, id, headers }, reply, onFrame) {
  const address = `${url.replace('http', 'ws')}/conversations/ws/${id}`;
  const socket = new WebSocket(address, ['bearer', token], { headers });
  return new Promise((resolve, reject) => {
    socket.onmessage = ({ data }) => {
      try {
        onFrame(socket, JSON.parse(data));
        if (reply.completed) socket.close();
      } catch (error) {
        reject(error);
      }
    };
    socket.onerror = () => {}; // closes
    socket.onclose = ({ code }) => {
      if (reply.completed || code === 1005 || RETRIABLE_CLOSES.includes(code)) resolve();
      else reject(new Error(`closed with ${code}`));
    };
  });
}

/** The TypeScript client, which repeats and resumes by itself. */
async function overSocketIo(peer, { content }) {
  if (!peer.parley) {
    peer.parley = createParley({ baseUrl: peer.url });
    await logIn(peer);
    peer.close = () => peer.parley.close();
  }
  let text = '';
  const reply = peer.parley.conversation(peer.id).send(content);
  for await (const piece of reply) {
    text += piece;
    peer.onDelta();
  }
  return { text, message: await reply.done };
}

async function logIn({ parley, email, password }) {
  for (; ; await delay(RETRY_MS)) {
    try {
      return await parley.auth.login({ email, password });
    } catch (error) {
      if (!RETRIABLE.includes(error.status)) throw error;
    }
  }
}

const TRANSPORTS = {
  JSON: overJson,
  'server-sent events': overEvents,
  WebSocket: overWebSocket,
  'Socket.IO': overSocketIo,
};
