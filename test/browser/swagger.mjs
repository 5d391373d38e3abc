/**
 * Logs in on Swagger UI in a real browser, then sends and streams a message from it, against the server at BASE_URL.
 * Run: BASE_URL=http://127.0.0.1:3000 node test/browser/swagger.mjs
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { generateSync } from 'otplib';
import { chromium } from 'playwright-core';

const base = process.env.BASE_URL ?? 'http://127.0.0.1:3000';
const username = `user-${randomUUID().slice(0, 8)}`;
const account = { username, email: `${username}@example.com`, password: randomUUID() };
const headers = { 'Content-Type': 'application/json' };
await post('/auth/register', account);

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
const faults = [];
page.on('pageerror', (error) => faults.push(error.message));
page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
try {
  await page.clock.install();
  await page.goto(`${base}/docs`);
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });
  await logIn('wrong password');
  await page.getByRole('status').filter({ hasText: 'password' }).waitFor();
  faults.length = 0; // Chromium reports the 401 as an error.
  await logIn(account.password);
  await page.getByText(`Calls are authorized as ${account.email}.`).waitFor();
  const me = await execute('getMe');
  assert.match(me, new RegExp(username));
  const created = await execute('createConversation', { body: '{}' });
  const { id } = JSON.parse(created);
  const events = await execute('streamMessage', { body: '{"content": "Hi 🎉"}', id });
  assert.match(events, /event: message.completed/);
  const refreshed = page.waitForResponse(/\/auth\/refresh$/);
  await page.clock.fastForward('59:30');
  assert.equal((await refreshed).status(), 200);
  assert.deepEqual(faults, []);
  const code = await turnOnSecondFactor();
  await page.reload();
  await logIn(account.password);
  await page.getByRole('textbox', { name: 'Code' }).fill(code);
  await page.getByRole('button', { name: 'Log in and authorize' }).click();
  await page.getByText(`Calls are authorized as ${account.email}.`).waitFor();
  console.log('ok   Swagger UI logs in, calls and streams');
} finally {
  await browser.close();
}

async function post(path, body, token) {
  const authorization = token && { Authorization: `Bearer ${token}` };
  const init = { method: 'POST', headers: { ...headers, ...authorization }, body: JSON.stringify(body) };
  const answer = await fetch(base + path, init);
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

/** Returns a recovery code. */
async function turnOnSecondFactor() {
  const { access_token } = await post('/auth/login', { email: account.email, password: account.password });
  const { secret } = await post('/auth/me/totp', { current_password: account.password }, access_token);
  const code = generateSync({ secret });
  return (await post('/auth/me/totp/confirm', { code }, access_token)).recovery_codes[0];
}

async function logIn(password) {
  await page.getByRole('textbox', { name: 'Email' }).fill(account.email);
  await page.getByRole('textbox', { name: 'Password' }).fill(password);
  await page.getByRole('button', { name: 'Log in and authorize' }).click();
}

/** Executes an operation of the page. Resolves with the text of its response's body. */
async function execute(operationId, { body, id } = {}) {
  const operation = page.locator(`[id$="-${operationId}"]`);
  await operation.locator('.opblock-summary-control').click();
  if (id) await operation.locator('[data-param-name=id] input').fill(String(id));
  if (body) await operation.locator('textarea').fill(body);
  await operation.getByRole('button', { name: 'Execute' }).click();
  const response = operation.locator('.live-responses-table .response-col_description .microlight').first();
  await response.waitFor({ timeout: 30_000 });
  return response.textContent();
}
