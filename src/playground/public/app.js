/** Starts the page and connects the views with the server. */

import { api, logOut, session, signedIn } from './api.js';
import { ChatPane } from './chat-pane.js';
import { ConversationList } from './conversation-list.js';
import { ask, byId } from './dom.js';
import { loadConfigs, setUpSettings, showConfigs } from './settings.js';
import { setUpSignIn } from './sign-in.js';
import { ConnectionLost, LiveConnection } from './socket.js';
import { Thread } from './thread.js';

const pane = new ChatPane({ onRegenerate: regenerate });
const list = new ConversationList();
const content = byId('content');

/** Unacknowledged sends. Their `client_message_id` makes them safe to repeat. */
const outbox = new Map();
let live = null;
let openId = null;
let opening = null;
let thread = null;

function start() {
  setUpSignIn();
  setUpSettings();
  setUpControls();
  session.addEventListener('change', enter);
  addEventListener('hashchange', route);
  enter();
}

/** Shows the workspace or the sign-in card. */
async function enter() {
  live?.close();
  live = thread = openId = null;
  outbox.clear();
  draw();
  for (const id of ['workspace', 'account', 'menu']) byId(id).hidden = !signedIn();
  byId('welcome').hidden = signedIn();
  notify('');
  if (!signedIn()) return byId('settings').close();
  live = new LiveConnection({ onEvent: take, onConnected: catchUp, onLost: () => notify('Connecting…') });
  byId('username').textContent = (await report(() => api('GET', '/auth/me')))?.username ?? '';
}

/** Reloads the state after each connection. */
async function catchUp() {
  notify('');
  for (const send of outbox.values()) void deliver(send);
  await report(() => Promise.all([list.reload(), loadConfigs(), route()]));
}

/** Opens the conversation named by the URL: `#/12`, or a new one without a hash. */
async function route() {
  const id = Number(location.hash.slice(2)) || null;
  if (id !== openId) {
    if (openId && live?.socket.connected)
      live.call('conversation.close', { conversation_id: openId }).catch(() => {});
    openId = id;
    thread = null;
    draw();
  }
  list.select(id);
  document.body.classList.remove('menu-open');
  byId('menu').setAttribute('aria-expanded', 'false');
  await open(id);
}

/** Replaces the thread with the server's snapshot, which includes the events received meanwhile. */
async function open(id) {
  if (!id || !live || opening === id) return;
  opening = id;
  try {
    const snapshot = await live.call('conversation.open', { conversation_id: id });
    if (openId !== id) return;
    if (thread) thread.replace(snapshot);
    else thread = new Thread(snapshot);
    draw();
  } catch (error) {
    if (error.problem?.status === 404) location.hash = '';
    else if (!(error instanceof ConnectionLost)) notify(error.message); // reopened after reconnecting
  } finally {
    if (opening === id) opening = null;
  }
}

/** Handles an event from the server. */
function take(event, body) {
  if (event === 'config.changed') showConfigs(body.configs);
  if (event === 'conversation.created') list.put(body.conversation, { isNew: true });
  if (event === 'conversation.updated') list.put(body.conversation);
  if (event === 'conversation.deleted') {
    list.remove(body.conversation_id);
    if (body.conversation_id === openId) location.hash = '';
  }
  if (!thread || (body?.conversation_id ?? body?.conversation?.id) !== openId) return;
  if (event === 'message.created') outbox.delete(body.message.client_message_id);
  if (!thread.apply(event, body)) void open(openId);
  if (event === 'message.completed') byId('announcement').textContent = `Reply ${body.message.status}`;
  draw();
}

async function send(text) {
  if (!openId) {
    const conversation = await api('POST', '/conversations/create', {});
    list.put(conversation, { isNew: true });
    history.pushState(null, '', `#/${conversation.id}`);
    await route();
  }
  const message = { conversation_id: openId, content: text, client_message_id: uuid() };
  outbox.set(message.client_message_id, message);
  draw();
  await deliver(message);
}

async function deliver(message) {
  try {
    const { user_message, assistant_message } = await live.call('chat.send', message);
    outbox.delete(message.client_message_id);
    if (thread && openId === message.conversation_id) {
      if (![user_message, assistant_message].every((each) => thread.add(each))) await open(openId);
    }
  } catch (error) {
    if (error instanceof ConnectionLost) return; // kept in the outbox until reconnected
    outbox.delete(message.client_message_id);
    content.value ||= message.content;
    notify(error.message);
  }
  draw();
}

function regenerate(messageId) {
  return report(() => live.call('chat.regenerate', { conversation_id: openId, message_id: messageId }));
}

function draw() {
  const unsent = [...outbox.values()].filter((message) => message.conversation_id === openId);
  const title = thread?.conversation.title ?? 'New chat';
  byId('title').textContent = title;
  document.title = thread ? `${title} · Parley` : 'Parley';
  byId('rename').hidden = byId('delete').hidden = !thread;
  byId('stop').hidden = !thread?.running;
  byId('send').hidden = Boolean(thread?.running);
  pane.show(thread, unsent);
}

function setUpControls() {
  const composer = byId('composer');
  composer.onsubmit = async (event) => {
    event.preventDefault();
    const text = content.value;
    if (!text.trim() || thread?.running || byId('send').disabled) return;
    notify('');
    content.value = '';
    byId('send').disabled = true;
    await report(
      () => send(text),
      () => (content.value ||= text),
    );
    byId('send').disabled = false;
  };
  content.onkeydown = (event) => {
    // During IME composition Enter confirms a candidate.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    composer.requestSubmit();
  };
  byId('stop').onclick = () => report(() => live.call('chat.stop', { conversation_id: openId }));
  byId('earlier').onclick = () => report(loadEarlier);
  byId('rename').onclick = () => report(rename);
  byId('delete').onclick = () => report(remove);
  byId('log-out').onclick = logOut;
  byId('new-chat').onclick = () => {
    location.hash = '';
    void route();
    content.focus();
  };
  byId('menu').onclick = () => {
    const expanded = document.body.classList.toggle('menu-open');
    byId('menu').setAttribute('aria-expanded', String(expanded));
  };
}

async function loadEarlier() {
  const [id, first] = [openId, thread.messages[0]];
  const page = await api('GET', `/conversations/${id}?before_id=${first.id}`);
  if (openId !== id || thread?.messages[0] !== first) return;
  thread.prepend(page);
  draw();
}

async function rename() {
  const title = await ask('Title', 'Rename', thread.conversation.title);
  if (title?.trim()) await api('POST', `/conversations/${openId}/update`, { title: title.trim() });
}

async function remove() {
  const id = openId;
  if ((await ask(`Delete “${thread.conversation.title}”?`, 'Delete')) === null) return;
  await api('POST', `/conversations/${id}/delete`);
  list.remove(id);
  if (openId === id) location.hash = '';
}

/** Runs `work`; on failure shows the error and calls `undo`. */
async function report(work, undo) {
  try {
    return await work();
  } catch (error) {
    undo?.();
    notify(error.message);
  }
}

function notify(text) {
  byId('notice').textContent = text;
  byId('notice').hidden = !text;
}

/** Random UUID. crypto.randomUUID requires a secure context, which plain http in a local network is not. */
function uuid() {
  const hex = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
  const variant = '89ab'[parseInt(hex[16], 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

start();
