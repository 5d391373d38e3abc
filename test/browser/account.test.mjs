import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import {
  button,
  dialog,
  field,
  openSettings,
  PASSWORD,
  signIn,
  signUp,
  until,
  useBrowser,
} from './support.mjs';

const browser = useBrowser();

describe('an account', () => {
  it('names what is wrong beside each field at sign-up, and focuses the first one', async () => {
    const page = await browser.open();
    await page.getByLabel('Username').fill('a');
    await page.getByLabel('Email').fill('nonsense');
    await page.getByLabel('Password').fill('short');
    await button(page, 'Sign up').click();

    for (const label of ['Username', 'Email', 'Password']) {
      const input = page.getByLabel(label);
      await until(async () => (await input.getAttribute('aria-invalid')) === 'true', `${label} is invalid`);
      const about = await input.getAttribute('aria-describedby');
      assert.match(await page.locator(`[id="${about}"]`).innerText(), /\w{3}/);
    }
    assert.equal(await page.evaluate(() => document.activeElement.name), 'username');
  });

  it('is not sent while a field is empty', async () => {
    const page = await browser.open();
    const sent = [];
    page.on('request', (request) => request.method() === 'POST' && sent.push(request.url()));
    await page.getByLabel('Email').fill('ada@example.org');
    await button(page, 'Sign up').click();

    for (const label of ['Username', 'Password']) {
      const about = await page.getByLabel(label).getAttribute('aria-describedby');
      await page.locator(`[id="${about}"]`).getByText('Fill this in.').waitFor();
    }
    assert.equal(await page.getByLabel('Email').getAttribute('aria-invalid'), 'false');
    assert.equal(await page.evaluate(() => document.activeElement.name), 'username');
    assert.deepEqual(sent, []);
  });

  it('is signed out in both tabs, and in again', async () => {
    const page = await browser.open();
    const account = await signUp(page);
    const second = await browser.tab(page.context());
    await field(second).waitFor();

    await button(await openSettings(page, 'Account'), 'Sign out').click();
    for (const tab of [page, second]) await tab.getByRole('heading', { name: 'Welcome back' }).waitFor();
    await page.getByLabel('Email').fill(account.email);
    await page.getByLabel('Password').fill('not the password');
    await button(page, 'Sign in').first().click();
    await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
    await signIn(page, account);
    await page.getByRole('heading', { name: `What is on your mind, ${account.username}?` }).waitFor();
  });

  it('renews its session when the access token is refused', async () => {
    const page = await browser.open();
    await signUp(page);
    await page.evaluate(() => {
      const [key, value] = Object.entries(localStorage).find(([name]) => name.startsWith('parley:'));
      localStorage[key] = JSON.stringify({ ...JSON.parse(value), access_token: 'spoilt' });
    });
    await page.reload();
    await button(await openSettings(page, 'Sessions'), 'Close').waitFor();
    await page.getByText('This device').waitFor();
  });

  it('lists its sessions and revokes one, which is signed out at once', async () => {
    const page = await browser.open();
    const account = await signUp(page);
    const other = await browser.open({ userAgent: 'Mozilla/5.0 (iPhone) Safari/605' });
    await button(other, 'Sign in').click();
    await signIn(other, account);

    const settings = await openSettings(page, 'Sessions');
    await settings.getByText('Chrome · Linux').waitFor();
    await button(settings, 'Sign out Safari · iPhone').click();
    await other.getByText('Your session has ended').waitFor();
    await settings.getByText('Safari · iPhone').waitFor({ state: 'detached' });
  });

  it('changes its password, and shows a wrong one beside its field', async () => {
    const page = await browser.open();
    const account = await signUp(page);
    const settings = await openSettings(page, 'Account');
    await settings.getByLabel('Current password').first().fill('not the password');
    await settings.getByLabel('New password').fill('a mill for numbers, 1837');
    await button(settings, 'Change password').click();
    await settings.getByText('The current password is wrong.').waitFor();
    await settings.getByLabel('Current password').first().fill(PASSWORD);
    await button(settings, 'Change password').click();
    await settings.getByText('Password changed').waitFor();

    await button(settings, 'Sign out').click();
    await signIn(page, { ...account, password: 'a mill for numbers, 1837' });
  });

  it('exports and deletes itself', async () => {
    const page = await browser.open();
    const account = await signUp(page);
    const settings = await openSettings(page, 'Account');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      button(settings, 'Download export').click(),
    ]);
    const exported = JSON.parse(await readFile(await download.path(), 'utf8'));
    assert.equal(exported.user.email, account.email);

    await settings.getByLabel('Current password').last().fill(PASSWORD);
    await button(settings, 'Delete my account').click();
    await page.getByRole('heading', { name: 'Welcome back' }).waitFor();
    assert.equal(await dialog(page, 'Settings').count(), 0);
    await page.getByLabel('Email').fill(account.email);
    await page.getByLabel('Password').fill(PASSWORD);
    await button(page, 'Sign in').first().click();
    await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
  });
});
