/**
 * Uses the page at / as a person would, in a real browser, against the server at BASE_URL.
 * Run: BASE_URL=http://127.0.0.1:3000 node test/browser/playground.mjs
 */
import { createServer, connect } from 'node:net';
import { once } from 'node:events';
import { chromium } from 'playwright-core';

const base = new URL(process.env.BASE_URL ?? 'http://127.0.0.1:3000');
const results = { passed: 0, failed: 0 };
const pageErrors = [];

/** A line to the server that can be cut. */
async function startLine() {
  const sockets = new Set();
  const server = createServer((near) => {
    if (line.isCut) return near.destroy();
    const far = connect(Number(base.port) || 80, base.hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => (sockets.delete(socket), other.destroy()))
        .pipe(other);
    }
  });
  const line = {
    isCut: false,
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

async function check(name, work) {
  try {
    await work();
    results.passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    results.failed += 1;
    console.log(`FAIL ${name}\n     ${String(error.message).split('\n').slice(0, 6).join('\n     ')}`);
  }
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

async function openTab(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => pageErrors.push(error.stack));
  page.on(
    'console',
    (message) => /Content Security Policy/i.test(message.text()) && pageErrors.push(message.text()),
  );
  await page.goto(url);
  return page;
}

const button = (page, name) => page.getByRole('button', { name, exact: true });
const replies = (page) => page.getByRole('article', { name: 'Reply' });
const isComplete = (page) => button(page, 'Regenerate').waitFor();

async function say(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.keyboard.press('Enter');
}

async function logIn(page) {
  await page.getByLabel('Email').fill(account.email);
  await page.getByLabel('Password').fill(account.password);
  await button(page, 'Log in').first().click();
  await button(page, 'New chat').waitFor();
}

const stamp = Date.now().toString(36);
const account = {
  username: `ada-${stamp}`,
  email: `ada-${stamp}@example.org`,
  password: 'a lovely engine of 1843',
};
const line = await startLine();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
    ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ],
});
// A path in BASE_URL is the one that a proxy serves the page under, and takes off.
const start = new URL(base.pathname, line.url).href;
const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
const page = await openTab(context, start);
let second;

await check('names what is wrong beside each field at sign-up', async () => {
  await page.getByLabel('Username').fill('a');
  await page.getByLabel('Email').fill('nonsense');
  await page.getByLabel('Password').fill('short');
  await button(page, 'Sign up').click();
  for (const id of ['si-username', 'si-email', 'si-password']) await page.locator(`#${id}-error`).waitFor();
});

await check('signs up and shows the demo model', async () => {
  await page.getByLabel('Username').fill(account.username);
  await page.getByLabel('Email').fill(account.email);
  await page.getByLabel('Password').fill(account.password);
  await button(page, 'Sign up').click();
  await button(page, 'New chat').waitFor();
  await page.locator('#model', { hasText: 'Demo model' }).waitFor();
  await page.getByText('What is on your mind?').waitFor();
  expect(await button(page, 'Delete').isHidden(), 'there is nothing to delete yet');
});

await check('streams a reply to its end, as Markdown', async () => {
  await say(page, 'How do lighthouses work?');
  await button(page, 'Stop').waitFor();
  await replies(page).locator('.text:not(:empty)').waitFor();
  const partial = (await replies(page).locator('.text').innerText()).length;
  await isComplete(page);
  const whole = (await replies(page).locator('.text').innerText()).length;
  expect(partial < whole, `nothing was streamed: ${partial} characters, then ${whole}`);
  await replies(page).locator('strong', { hasText: 'lighthouses' }).waitFor();
  await replies(page).locator('pre code').waitFor();
});

await check('gets a title by itself, in the head and in the list', async () => {
  await page.getByRole('heading', { level: 1, name: 'How do lighthouses work', exact: true }).waitFor();
  await page.getByRole('link', { name: 'How do lighthouses work', exact: true }).waitFor();
});

await check('shows the history after a reload', async () => {
  const before = await page.locator('#messages').innerText();
  await page.reload();
  await isComplete(page);
  expect((await page.locator('#messages').innerText()) === before, 'the messages differ after the reload');
});

await check('keeps a second tab in step', async () => {
  second = await openTab(context, page.url());
  await isComplete(second);
  await say(page, 'And foghorns?');
  await replies(second).nth(1).locator('.text:not(:empty)').waitFor();
  await replies(second).nth(1).locator('strong', { hasText: 'foghorns' }).waitFor();
  await Promise.all([isComplete(page), isComplete(second)]);
  const texts = await Promise.all([page, second].map((tab) => tab.locator('#messages').innerText()));
  expect(texts[0] === texts[1], 'the tabs show different messages');
});

await check('stops a reply and keeps its text', async () => {
  await say(page, 'Tell me about tides');
  await replies(page).nth(2).locator('strong').first().waitFor();
  await button(page, 'Stop').click();
  for (const tab of [page, second]) await replies(tab).nth(2).getByText('Stopped').waitFor();
  expect((await replies(page).nth(2).locator('.text').innerText()).length > 0, 'the text is gone');
});

await check('regenerates the last reply in both tabs', async () => {
  await button(page, 'Regenerate').click();
  await Promise.all([page, second].map((tab) => replies(tab).nth(2).locator('pre code').waitFor()));
  await Promise.all([isComplete(page), isComplete(second)]);
  expect((await replies(second).count()) === 3, 'the old reply is still shown');
});

await check('shows markup in a message as text', async () => {
  await say(page, '<img src=x onerror="document.title=1"> [x](javascript:alert(1))');
  await replies(page).nth(3).locator('pre code').waitFor();
  await isComplete(page);
  await page.getByText('<img src=x onerror="document.title=1">').first().waitFor();
  expect(
    (await page.locator('#messages :is(img, a[href^="javascript"])').count()) === 0,
    'markup came to life',
  );
});

await check('delivers what was sent offline, once', async () => {
  line.cut();
  await page.getByText('Connecting…').waitFor();
  await say(page, 'Sent from a tunnel');
  await page.getByText('Sending…').waitFor();
  line.mend();
  await replies(page).nth(4).locator('pre code').waitFor();
  await isComplete(page);
  for (const tab of [page, second]) {
    await replies(tab).nth(4).locator('pre code').waitFor();
    const sent = await tab.getByRole('article', { name: 'You' }).filter({ hasText: 'tunnel' }).count();
    expect(sent === 1, `sent ${sent} times`);
  }
});

await check('resumes a reply that a lost connection interrupted', async () => {
  await say(page, 'Tell me about volcanoes');
  await replies(page).nth(5).locator('strong', { hasText: 'volcanoes' }).waitFor();
  line.cut();
  await page.getByText('Connecting…').waitFor();
  line.mend();
  await isComplete(page);
  const text = await replies(page).nth(5).locator('.text').innerText();
  await page.reload();
  await isComplete(page);
  expect(
    (await replies(page).nth(5).locator('.text').innerText()) === text,
    'the text differs from what is stored',
  );
});

await check('renews its tokens when the access token has expired', async () => {
  await page.evaluate(() => {
    const tokens = JSON.parse(localStorage['parley.tokens']);
    localStorage['parley.tokens'] = JSON.stringify({ ...tokens, access_token: 'spoilt' });
  });
  await page.reload();
  await isComplete(page);
});

await check('adds a model, tests it and deletes it', async () => {
  await button(page, 'Settings').click();
  await page.getByLabel('URL').fill('ftp://example.org');
  await page.getByLabel('Model', { exact: true }).fill('nothing-there');
  await page.getByLabel('Key').fill('sk-none');
  await button(page, 'Add').click();
  await page.locator('#ac-url-error').waitFor();
  await page.getByLabel('URL').fill('http://127.0.0.1:9/v1');
  await button(page, 'Add').click();
  await button(page, 'Test nothing-there').click();
  await page.getByText('Does not work').waitFor();
  await second.locator('#model', { hasText: 'nothing-there' }).waitFor();
  await button(page, 'Delete nothing-there').click();
  await button(page.locator('#ask'), 'Delete').click();
  for (const tab of [page, second]) await tab.locator('#model', { hasText: 'Demo model' }).waitFor();
  await button(page, 'Close').click();
});

await check('renames and deletes the conversation in both tabs', async () => {
  await button(page, 'Rename').click();
  await page.getByRole('textbox', { name: 'Title' }).fill('Things at sea');
  await page.keyboard.press('Enter');
  for (const tab of [page, second]) await tab.getByRole('heading', { name: 'Things at sea' }).waitFor();
  await button(page, 'Delete').click();
  await button(page.locator('#ask'), 'Delete').click();
  for (const tab of [page, second]) {
    await tab.getByRole('link', { name: 'Things at sea' }).waitFor({ state: 'detached' });
    await tab.getByText('What is on your mind?').waitFor();
  }
});

await check('is usable at phone width', async () => {
  await page.setViewportSize({ width: 390, height: 780 });
  await button(page, 'Conversations').click();
  await button(page, 'New chat').click();
  await page.getByLabel('Message', { exact: true }).waitFor();
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow <= 0, `${overflow} px stick out`);
  await page.setViewportSize({ width: 1200, height: 800 });
});

await check('logs out in both tabs, and in again', async () => {
  await button(page, 'Log out').click();
  for (const tab of [page, second]) await tab.getByRole('heading', { name: /Log in|Sign up/ }).waitFor();
  if (await page.getByLabel('Username').isVisible()) await button(page, 'Log in').click();
  await logIn(page);
});

await check('raises no script error and breaks no content security policy', () => {
  expect(pageErrors.length === 0, pageErrors.join('\n'));
});

await browser.close();
line.close();
console.log(`${results.passed} passed, ${results.failed} failed`);
process.exitCode = results.failed ? 1 : 0;
