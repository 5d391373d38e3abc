import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import * as support from './support.mjs';

const browser = support.useBrowser();
const ASLEEP_MS = 3_000;
const PIECES = Array.from({ length: 40 }, (_, index) => `Word ${index} 👋🏽, `);

/** The package as a global, `client`. */
async function bundle() {
  const input = fileURLToPath(new URL('../../sdk/typescript/src/index.ts', import.meta.url));
  const { output } = await build({ input, output: { format: 'iife', name: 'client' }, write: false });
  return output[0].code;
}

/** Signs in by what the storage holds. Leaves the client at `parley`, in the page. */
const start = (page) =>
  page.evaluate(async () => {
    globalThis.signedOut = [];
    globalThis.parley = globalThis.client.createParley({
      baseUrl: location.origin,
      storage: localStorage,
      reconnect: { maxMs: 1_000 },
    });
    globalThis.parley.auth.onSignedOut((reason) => globalThis.signedOut.push(reason));
    await globalThis.parley.auth.ready;
  });

/** Opens a conversation, a new one by default, at `chat`. */
const open = (page, id) =>
  page.evaluate(async (id) => {
    globalThis.chat = parley.conversation(id ?? (await parley.conversations.create()).id);
    globalThis.chat.subscribe(() => {});
    return globalThis.chat.id;
  }, id);

const send = (page, content = 'Go on') => page.evaluate((content) => void chat.send(content), content);
const status = (page, wanted) =>
  page.waitForFunction((wanted) => parley.status.getSnapshot() === wanted, wanted);
const isStreaming = (page) => page.waitForFunction(() => chat.getSnapshot().running?.content.length > 20);

/** Waits for so many stored messages; they must be those of the server, the replies whole. */
async function compare(page, count) {
  await page.waitForFunction((count) => {
    const { messages, running } = chat.getSnapshot();
    return !running && messages.length === count && messages.every(({ id }) => id);
  }, count);
  const [shown, stored] = await page.evaluate(async () => [
    chat.getSnapshot().messages,
    (await parley.rest.getConversation({ path: { id: chat.id } })).messages,
  ]);
  // The fields that the client adds.
  for (const message of shown) for (const name of ['key', 'failure', 'uploads']) delete message[name];
  assert.deepEqual(shown, stored);
  const replies = stored.filter(({ role }) => role === 'assistant').map(({ content }) => content);
  assert.deepEqual(replies, Array(count / 2).fill(PIECES.join('')));
}

describe('@parley/client in a browser', () => {
  const refreshes = [];
  let provider;
  let line;
  let one;
  let two;

  before(async () => {
    provider = await support.startProvider();
    line = await support.startLine();
    Object.assign(provider, { script: PIECES, paceMs: 20 });
    const code = await bundle();
    one = await browser.open({ url: 'about:blank' });
    const context = one.context();
    context.on('request', (request) => request.url().endsWith('/auth/refresh') && refreshes.push(request));
    // A page of the server's origin that also loads while the line is cut.
    const body = `<!doctype html><meta charset="utf-8"><script>${code}</script>`;
    await context.route(`${line.url}/page`, (route) => route.fulfill({ contentType: 'text/html', body }));
    two = await browser.tab(context, `${line.url}/page`);
    await one.goto(`${line.url}/page`);
    await start(one);
    const name = `browser${Date.now().toString(36)}`;
    const account = { username: name, email: `${name}@example.org`, password: support.PASSWORD };
    const config = { model_url: provider.url, model_name: 'played', api_key: 'sk-test' };
    await one.evaluate((account) => parley.auth.register(account), account);
    await one.evaluate((body) => parley.rest.createConfig({ body }), config);
    await start(two);
  });
  after(() => (provider.close(), line.close()));

  it('refreshes an expired token once for two tabs', async () => {
    await one.evaluate(() => {
      const key = Object.keys(localStorage).find((each) => !each.endsWith(':drafts'));
      const session = JSON.parse(localStorage.getItem(key));
      localStorage.setItem(key, JSON.stringify({ ...session, expires_in: 0 }));
    });
    for (const page of [one, two]) await page.reload();
    await Promise.all([one, two].map(start));
    refreshes.length = 0;

    const users = await Promise.all(
      [one, two].map((page) => page.evaluate(() => Promise.all([1, 2, 3].map(() => parley.rest.getMe())))),
    );

    assert.equal(new Set(users.flat().map(({ id }) => id)).size, 1);
    assert.equal(refreshes.length, 1);
  });

  it('shows the same reply in two tabs', async () => {
    const id = await open(one);
    await open(two, id);
    await send(one);
    await Promise.all([one, two].map(isStreaming));
    await Promise.all([one, two].map((page) => compare(page, 2)));
  });

  it('resumes a reply after a reload of the page', async () => {
    const id = await open(one);
    await send(one);
    await isStreaming(one);
    await one.reload();
    await start(one);
    await open(one, id);
    await isStreaming(one);
    await compare(one, 2);
  });

  it('delivers a message queued offline after a reload of the page', async () => {
    const id = await open(one);
    await status(one, 'live');
    line.cut();
    await status(one, 'offline');
    await send(one);
    await one.waitForFunction(() => JSON.stringify(localStorage).includes('chat.send'));
    await one.reload();
    await start(one);
    line.mend();
    await open(one, id);
    await compare(one, 2);
  });

  it('reports the progress of an upload over a slow line', async () => {
    await open(one);
    // What the system buffers counts as sent.
    line.bytesPerSecond = 6e6;
    const { states, code } = await one.evaluate(async () => {
      const states = [];
      const reply = chat.send('', {
        files: [{ name: 'long.txt', data: 'x'.repeat(18e6) }],
        onProgress: ([{ sent, bytes, status }]) => states.push({ sent, bytes, status }),
      });
      const { code } = await reply.accepted.catch((error) => error);
      chat.remove(chat.getSnapshot().messages.at(-1).key);
      return { states, code };
    });
    line.bytesPerSecond = 0;

    assert.equal(code, 'context_exceeded');
    const sent = states.map((state) => state.sent);
    assert.deepEqual(
      sent,
      [...sent].sort((a, b) => a - b),
    );
    const between = new Set(sent.filter((bytes) => bytes > 0 && bytes < 18e6));
    assert.ok(between.size > 2, `only ${[...between]}`);
    assert.deepEqual(states.at(-1), { sent: 18e6, bytes: 18e6, status: 'done' });
  });

  it('loses nothing offline', async () => {
    await open(one);
    await send(one);
    await isStreaming(one);
    await one.context().setOffline(true);
    await status(one, 'offline');
    await send(one);
    await one.context().setOffline(false);
    await compare(one, 4);
  });

  it('catches up after a sleep in which its connection died', async () => {
    await open(one);
    await send(one);
    await isStreaming(one);
    const cdp = await one.context().browser().newBrowserCDPSession();
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
    const renderers = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);

    renderers.forEach((id) => process.kill(id, 'SIGSTOP'));
    line.cut();
    await delay(ASLEEP_MS);
    line.mend();
    renderers.forEach((id) => process.kill(id, 'SIGCONT'));
    // Headless Chromium does not freeze tabs, and so sends no event for their resumption.
    await one.evaluate(() => document.dispatchEvent(new Event('resume')));

    await compare(one, 2);
  });

  it('signs out when another tab clears the storage', async () => {
    await two.evaluate(() => localStorage.clear());
    await one.waitForFunction(() => signedOut.length > 0);
    assert.deepEqual(await one.evaluate(() => signedOut), ['storage_cleared']);
    await status(one, 'offline');
    assert.deepEqual(await one.evaluate(() => [parley.auth.user, chat.getSnapshot().messages]), [null, []]);
  });
});
