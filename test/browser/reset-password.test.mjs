/** The page that the mail about a forgotten password links to. Reads mails from the server's outbox. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import PostalMime from 'postal-mime';
import { base, button, NARROW, PASSWORD, signUp, until, useBrowser } from './support.mjs';

const OUTBOX = process.env.OUTBOX ?? 'data/outbox';
const NEW_PASSWORD = 'an engine that weaves patterns';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const browser = useBrowser();

/** @returns the status of the response */
async function post(path, body) {
  const headers = { 'Content-Type': 'application/json' };
  const { status } = await fetch(new URL(path, base), {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  return status;
}

const statusOfLogin = (email, password) => post('auth/login', { email, password });

/** Asks for a mail and returns its link, on the server under test. */
async function mailedLink(email) {
  assert.equal(await post('auth/password/forgot', { email }), 202);
  let text;
  await until(async () => (text = await textTo(email)), 'the mail is written');
  const { hash } = new URL(/https?:\S+#token=\S+/.exec(text)[0]);
  return new URL(`reset-password${hash}`, base).href;
}

async function textTo(email) {
  const files = await readdir(OUTBOX).catch(() => []);
  const mails = await Promise.all(
    files.map(async (file) => PostalMime.parse(await readFile(join(OUTBOX, file)))),
  );
  return mails.find(({ to, text }) => to[0].address === email && text.includes('/reset-password#'))?.text;
}

const passwordField = (page) => page.getByLabel('New password');

describe('the page of a mailed link', () => {
  it('is asked for where one signs in', async () => {
    const page = await browser.open();
    const { email } = await signUp(page);
    await page.evaluate(() => localStorage.clear());
    await page.reload();
    await button(page, 'Sign in').click();
    await button(page, 'Forgot your password?').click();
    await page.getByLabel('Email').fill(email);
    await button(page, 'Mail a link').click();

    await page.getByRole('status').filter({ hasText: 'on its way' }).waitFor();
    await until(() => textTo(email), 'the mail is written');
  });

  it('sets the password once, by keyboard, and removes the token from the address', async () => {
    const account = await signUp(await browser.open());
    const link = await mailedLink(account.email);
    const page = await browser.open({ url: link, viewport: NARROW });

    await passwordField(page).fill(NEW_PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByText('The password was changed.').waitFor();
    assert.equal(new URL(page.url()).hash, '');

    const again = await browser.open({ url: link });
    await passwordField(again).fill(PASSWORD);
    await button(again, 'Set password').click();
    await again.getByRole('alert').filter({ hasText: 'used before' }).waitFor();
    assert.equal(await statusOfLogin(account.email, NEW_PASSWORD), 200);
    assert.equal(await statusOfLogin(account.email, PASSWORD), 401);
  });

  it('explains a guessable password and accepts another', async () => {
    const { email } = await signUp(await browser.open());
    const page = await browser.open({ url: await mailedLink(email) });

    await passwordField(page).fill('password123');
    await button(page, 'Set password').click();
    await page.getByRole('alert').filter({ hasText: 'easy to guess' }).waitFor();
    await passwordField(page).fill(NEW_PASSWORD);
    await button(page, 'Set password').click();
    await page.getByText('The password was changed.').waitFor();
  });

  it('says so when the link is incomplete', async () => {
    const page = await browser.open({ url: new URL('reset-password', base).href });

    await page.getByRole('alert').filter({ hasText: 'incomplete' }).waitFor();
    assert.equal(await passwordField(page).isVisible(), false);
  });

  for (const colorScheme of ['light', 'dark'])
    it(`is accessible in ${colorScheme}, and in Chinese`, async () => {
      const url = new URL('reset-password#token=x', base).href;
      const page = await browser.open({ url, colorScheme, locale: 'zh-CN' });

      await page.getByRole('heading', { name: '设置新密码' }).waitFor();
      await page.evaluate(axe);
      const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
      assert.ok(passes.length > 5);
      assert.deepEqual(violations, []);
    });
});
