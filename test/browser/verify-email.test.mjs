/** The page that the mail after a registration links to, and what the playground says about unverified addresses. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import PostalMime from 'postal-mime';
import {
  base,
  button,
  field,
  NARROW,
  openSettings,
  PASSWORD,
  signIn,
  signUp,
  until,
  useBrowser,
} from './support.mjs';

const OUTBOX = process.env.OUTBOX ?? 'data/outbox';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const browser = useBrowser();

const MAIN = new URL('../../dist/server/main.js', import.meta.url).pathname;

/** The link of the newest mail to an address. @param count of mails to wait for */
async function mailedLink(email, { outbox = OUTBOX, url = base, count = 1 } = {}) {
  let mails;
  await until(async () => (mails = await mailsTo(email, outbox)).length >= count, 'the mail is written');
  const { hash } = new URL(/https?:\S+verify-email#token=\S+/.exec(mails.at(-1).text)[0]);
  return new URL(`verify-email${hash}`, url).href;
}

/** Oldest first. */
async function mailsTo(email, outbox) {
  const files = await readdir(outbox).catch(() => []);
  const mails = await Promise.all(
    files.sort().map(async (file) => PostalMime.parse(await readFile(join(outbox, file)))),
  );
  return mails.filter(({ to }) => to[0].address === email);
}

async function confirm(page) {
  await button(page, 'Confirm the address').click();
  await page.getByText('The address is confirmed.').waitFor();
}

async function expectAccessible(page) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
  assert.ok(passes.length > 5);
  assert.deepEqual(violations, []);
}

/** Files for a person to look at, where SCREENSHOTS names a folder. */
async function shoot(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
}

describe('the page of a link that verifies an address', () => {
  it('verifies it once, by keyboard, and removes the token from the address', async () => {
    const { email } = await signUp(await browser.open());
    const link = await mailedLink(email);
    const page = await browser.open({ url: link, viewport: NARROW });

    await button(page, 'Confirm the address').focus();
    await page.keyboard.press('Enter');
    await page.getByText('The address is confirmed.').waitFor();
    assert.equal(new URL(page.url()).hash, '');

    const again = await browser.open({ url: link });
    await button(again, 'Confirm the address').click();
    await again.getByRole('alert').filter({ hasText: 'used before' }).waitFor();
  });

  it('says so when the link is incomplete', async () => {
    const page = await browser.open({ url: new URL('verify-email', base).href });

    await page.getByRole('alert').filter({ hasText: 'incomplete' }).waitFor();
    assert.equal(await button(page, 'Confirm the address').isVisible(), false);
  });

  for (const colorScheme of ['light', 'dark'])
    it(`is accessible in ${colorScheme}, and in Chinese`, async () => {
      const url = new URL('verify-email#token=x', base).href;
      const page = await browser.open({ url, colorScheme, locale: 'zh-CN' });

      await page.getByRole('heading', { name: '确认您的邮箱地址' }).waitFor();
      await expectAccessible(page);
    });
});

describe('the account settings', () => {
  it('mail the link again until the address is verified', async () => {
    const page = await browser.open();
    const { email } = await signUp(page);
    const first = await mailedLink(email);
    const settings = await openSettings(page, 'Account');
    await settings.getByText('Your email address is not verified.').waitFor();
    await expectAccessible(page);
    await button(settings, 'Send the link again').focus();
    await page.keyboard.press('Enter');
    await settings.getByText('We sent you a link').waitFor();
    await shoot(page, 'unverified-settings');

    const link = await mailedLink(email, { count: 2 });
    assert.notEqual(link, first);
    await confirm(await browser.open({ url: link }));
    await button(settings, 'Send the link again').click();
    await button(settings, 'Send the link again').waitFor({ state: 'detached' });
  });
});

describe('where addresses must be verified', () => {
  let folder;
  let server;
  let url;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-verify-'));
    server = spawn(process.execPath, [MAIN], {
      env: {
        PATH: process.env.PATH,
        NODE_ENV: 'development',
        PORT: '0',
        HOST: base.hostname,
        DATA_DIR: folder,
        EMAIL_VERIFICATION: 'required',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface(server.stdout)) {
      url = /Playground +(http\S+)/.exec(line)?.[1];
      if (url) break;
    }
    server.stdout.resume();
  });
  after(async () => {
    server.kill();
    await once(server, 'exit');
    await rm(folder, { recursive: true });
  });

  for (const [locale, texts] of Object.entries({
    'en-US': ['Username', 'Email', 'Password', 'Sign up', 'We sent a link to'],
    'zh-CN': ['用户名', '邮箱', '密码', '注册', '链接已发送到'],
  }))
    it(`sign-up asks to open the mailed link first, in ${locale}`, async () => {
      const [username, email, password, signUpButton, sent] = texts;
      const page = await browser.open({ url, locale, viewport: NARROW });
      const address = `ada-${locale.toLowerCase()}@example.org`;
      await page.getByLabel(username).fill(`ada-${locale}`);
      await page.getByLabel(email).fill(address);
      await page.getByLabel(password).fill(PASSWORD);
      await button(page, signUpButton).click();

      await page.getByRole('status').filter({ hasText: sent }).filter({ hasText: address }).waitFor();
      await expectAccessible(page);
      await shoot(page, `unverified-sign-up-${locale}`);
    });

  it('sign-in does so too, and works after it', async () => {
    const page = await browser.open({ url });
    const account = { username: 'grace', email: 'grace@example.org', password: PASSWORD };
    await page.getByLabel('Username').fill(account.username);
    await page.getByLabel('Email').fill(account.email);
    await page.getByLabel('Password').fill(PASSWORD);
    await button(page, 'Sign up').click();
    await page.getByText('We sent a link').waitFor();

    await button(page, 'Sign in').click();
    await page.getByLabel('Email').fill(account.email);
    await page.getByLabel('Password').fill(PASSWORD);
    await button(page, 'Sign in').first().click();
    await page.getByRole('alert').filter({ hasText: 'We sent you a link: open it, then sign in.' }).waitFor();
    await shoot(page, 'unverified-sign-in');

    await confirm(
      await browser.open({
        url: await mailedLink(account.email, { outbox: join(folder, 'outbox'), url, count: 3 }),
      }),
    );
    await signIn(page, account);
    await field(page).waitFor();
  });
});
