/**
 * What the browser tests share: a browser, users, a line that can be cut, a model provider. They use the server at
 * BASE_URL. Run: BASE_URL=http://127.0.0.1:3000 node --test test/browser/*.test.mjs
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { Transform } from 'node:stream';
import { json } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { after, before } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

export const base = new URL(process.env.BASE_URL ?? 'http://127.0.0.1:3000');
export const PASSWORD = 'a lovely engine of 1843';
export const WIDE = { width: 1200, height: 800 };
export const NARROW = { width: 390, height: 780 };

const TIMEOUT_MS = 15_000;
let users = 0;

/** Starts a browser for the tests of a file. After them, fails on script errors and violations of the CSP. */
export function useBrowser() {
  const state = { browser: null, errors: [] };
  before(async () => {
    state.browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
      ],
    });
  });
  after(async () => {
    await state.browser.close();
    assert.deepEqual(state.errors, []);
  });
  return {
    /** Opens the page in a browser of its own. @param url the page's address, by default the server's */
    async open({ url = base.href, ...options } = {}) {
      const context = await state.browser.newContext({ viewport: WIDE, locale: 'en-US', ...options });
      return openTab(context, url, state.errors);
    },
    /** Opens another tab of the same browser. */
    tab: (context, url = base.href) => openTab(context, url, state.errors),
  };
}

async function openTab(context, url, errors) {
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  page.on('pageerror', (error) => errors.push(error.stack));
  page.on(
    'console',
    (message) => /Content Security Policy/i.test(message.text()) && errors.push(message.text()),
  );
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== 'blob:' && hostname !== base.hostname) errors.push(`request to ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

export const button = (within, name) => within.getByRole('button', { name, exact: true });
export const replies = (page) => page.getByRole('article', { name: 'Reply' });
export const messages = (page) => page.getByRole('article', { name: 'You' });
export const field = (page) => page.getByRole('textbox', { name: 'Message', exact: true });
export const dialog = (page, name) => page.getByRole('dialog', { name });

/** Signs up a new user. @returns the account */
export async function signUp(page) {
  const name = `ada${Date.now().toString(36)}${process.pid}${users++}`;
  const account = { username: name, email: `${name}@example.org`, password: PASSWORD };
  await page.getByLabel('Username').fill(account.username);
  await page.getByLabel('Email').fill(account.email);
  await page.getByLabel('Password').fill(account.password);
  await button(page, 'Sign up').first().click();
  await field(page).waitFor();
  return account;
}

export async function signIn(page, { email, password }) {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(password);
  await button(page, 'Sign in').first().click();
  await field(page).waitFor();
}

/** Grants the role by the command line, which finds the database by DATA_DIR or DATABASE_URL. */
export async function makeAdmin(page, { email }) {
  const command = new URL('../../dist/server/admin.js', import.meta.url).pathname;
  await promisify(execFile)(process.execPath, [command, 'grant', email]);
  await page.reload();
  await field(page).waitFor();
}

export async function send(page, text) {
  await field(page).fill(text);
  await field(page).press('Enter');
}

/** Waits for the end of the reply with this index. */
export const isComplete = (page, index = 0) => button(replies(page).nth(index), 'Regenerate').waitFor();

export async function openSettings(page, tab = 'Model') {
  await page.getByRole('button', { name: /^Settings/ }).click();
  await button(dialog(page, 'Settings'), tab).click();
  return dialog(page, 'Settings');
}

/** Adds a model through the settings. */
export async function addModel(page, provider, name = 'played') {
  const settings = await openSettings(page);
  await button(settings, 'Add a model').click();
  await settings.getByLabel('URL').fill(provider.url);
  await settings.getByLabel('Model name').fill(name);
  await button(settings, 'Save and test').click();
  await settings.getByText(/^Works, answered/).waitFor();
  await button(settings, 'Close').first().click();
  await settings.waitFor({ state: 'detached' });
}

/** Polls until the condition holds. */
export async function until(condition, what) {
  for (const end = Date.now() + TIMEOUT_MS; Date.now() < end; await pause(25)) if (await condition()) return;
  assert.fail(`not reached: ${what}`);
}

/** A line to the server that can be cut, mended, and slowed down for what is sent. */
export async function startLine() {
  const sockets = new Set();
  const server = createServer((near) => {
    if (line.isCut) return near.destroy();
    const far = connect(Number(base.port) || 80, base.hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => (sockets.delete(socket), other.destroy()));
      if (socket === near) socket.pipe(slowDown(line)).pipe(other);
      else socket.pipe(other);
    }
  });
  const line = {
    isCut: false,
    bytesPerSecond: 0,
    cut() {
      line.isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => (line.isCut = false),
    close: () => (line.cut(), server.close()),
  };
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return Object.assign(line, { url: `http://127.0.0.1:${server.address().port}` });
}

const slowDown = (line) =>
  new Transform({
    transform(chunk, _encoding, done) {
      if (!line.bytesPerSecond) return done(null, chunk);
      setTimeout(done, (chunk.length / line.bytesPerSecond) * 1000, null, chunk);
    },
  });

/**
 * A model provider that speaks OpenAI's protocol and answers with `script`: pieces of text, or of reasoning as
 * `{ reasoning }`, one every `paceMs`; a function of the question makes them too. `refusal` answers with that status.
 */
export async function startProvider() {
  const provider = {
    script: ['Hello', ' there.'],
    paceMs: 0,
    models: ['played', 'other'],
    refusal: null,
    requests: [],
  };
  const server = createHttpServer(
    (request, response) => void answer(provider, request, response).catch(() => {}),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  provider.url = `http://127.0.0.1:${server.address().port}/v1`;
  provider.close = () => (server.closeAllConnections(), server.close());
  return provider;
}

async function answer(provider, request, response) {
  if (request.url.endsWith('/models')) {
    return response.end(JSON.stringify({ data: provider.models.map((id) => ({ id })) }));
  }
  provider.authorization = request.headers.authorization;
  const { messages: asked } = await json(request);
  const question = asked.at(-1).content;
  if (provider.refusal) {
    const { status, message } = provider.refusal;
    return response.writeHead(status).end(JSON.stringify({ error: { message } }));
  }
  const isTitle = question.includes('Write a title');
  if (!isTitle) provider.requests.push(asked);
  const pieces = isTitle ? [provider.title ?? 'A fine title'] : scriptOf(provider, question);
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const write = (data) => response.write(`data: ${JSON.stringify(data)}\n\n`);
  for (const piece of pieces) {
    const delta = typeof piece === 'string' ? { content: piece } : { reasoning_content: piece.reasoning };
    write({ choices: [{ index: 0, delta, finish_reason: null }] });
    if (provider.paceMs && !isTitle) await pause(provider.paceMs);
  }
  write({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
  write({ choices: [], usage: { prompt_tokens: 1200, completion_tokens: 34, total_tokens: 1234 } });
  response.end('data: [DONE]\n\n');
}

const scriptOf = ({ script }, question) => (typeof script === 'function' ? script(question) : script);
