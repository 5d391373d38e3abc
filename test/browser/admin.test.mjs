/** The pages of administrators. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateSync } from 'otplib';
import {
  base,
  button,
  dialog,
  makeAdmin,
  NARROW,
  openSettings,
  PASSWORD,
  signUp,
  until,
  useBrowser,
} from './support.mjs';

const browser = useBrowser();

async function post(path, body, token) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  const response = await fetch(new URL(path, base), { method: 'POST', headers, body: JSON.stringify(body) });
  return response.json();
}

async function openAsAdmin(options) {
  const page = await browser.open(options);
  await makeAdmin(page, await signUp(page));
  return page;
}

describe('administration', () => {
  it('is not offered to users', async () => {
    const page = await browser.open();
    await signUp(page);
    const settings = await openSettings(page, 'Account');

    assert.equal(await button(settings, 'Users').count(), 0);
    assert.equal(await button(settings, 'Audit').count(), 0);
  });

  it('finds, disables, enables, promotes and deletes a user, and shows who did it', async () => {
    const theirs = await browser.open();
    const ada = await signUp(theirs);
    const page = await openAsAdmin();
    const settings = await openSettings(page, 'Users');
    await settings.getByRole('searchbox').fill(ada.username.toUpperCase());
    await settings.getByText('1 user', { exact: true }).waitFor();

    await button(settings, `Disable: ${ada.username}`).click();
    await theirs.getByRole('heading', { name: 'Welcome back' }).waitFor();
    await button(settings, `Enable: ${ada.username}`).click();
    await button(settings, `Make administrator: ${ada.username}`).click();
    await button(settings, `Remove administrator: ${ada.username}`).click();
    await button(settings, `Make administrator: ${ada.username}`).waitFor();
    await button(settings, `Delete: ${ada.username}`).click();
    await button(dialog(page, `Delete ${ada.username}?`), 'Delete').click();
    await settings.getByText('0 users').waitFor();

    await button(settings, 'Audit').click();
    await settings.getByText('admin.user.delete').first().waitFor();
    assert.equal(await settings.getByText('admin.user.disable').count(), 1);
  });

  it('turns off the second factor of a user who has lost it', async () => {
    const ada = await signUp(await browser.open());
    const logIn = () => post('auth/login', { email: ada.email, password: PASSWORD });
    const { access_token } = await logIn();
    const { secret } = await post('auth/me/totp', { current_password: PASSWORD }, access_token);
    await post('auth/me/totp/confirm', { code: generateSync({ secret }) }, access_token);
    const page = await openAsAdmin();
    const settings = await openSettings(page, 'Users');
    await settings.getByRole('searchbox').fill(ada.username);
    const action = `Turn off two-factor authentication: ${ada.username}`;
    await button(settings, action).click();
    await button(dialog(page, `${action}?`), 'Turn off two-factor authentication').click();
    await button(settings, action).waitFor({ state: 'detached' });

    assert.ok((await logIn()).access_token);
  });

  it('invites, shows the code once, and deletes the invitation', async () => {
    const page = await openAsAdmin({ permissions: ['clipboard-read', 'clipboard-write'] });
    const settings = await openSettings(page, 'Invitations');
    await settings.getByLabel('Email').fill('nobody');
    await settings.getByLabel('Email').press('Enter');
    await settings.locator('[aria-invalid=true]').waitFor();
    await settings.getByLabel('Email').fill('');
    await button(settings, 'Create invitation').click();
    await button(settings, 'Copy code of the invitation').click();
    const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
    await until(async () => /^[\w-]{43}$/.test(await clipboard()), 'the code in the clipboard');
    const code = await clipboard();
    await button(settings, 'Copy link of the invitation').click();
    const link = `${base.href}#invitation=${code}`;
    await until(async () => (await clipboard()) === link, 'the link in the clipboard');

    const theirs = await browser.open({ url: link });
    assert.equal(await theirs.getByLabel('Invitation code').inputValue(), code);
    await signUp(theirs);
    assert.equal(new URL(theirs.url()).hash, '#/');
    await button(settings, 'Users').click();
    await button(settings, 'Invitations').click();
    // Another test may create invitations meanwhile.
    const invitations = settings.getByRole('listitem');
    const used = invitations.filter({ hasText: /Used by user \d+$/ }).first();
    await used.waitFor();
    assert.equal(await settings.getByText(code).count(), 0);
    const guest = `guest.of.${code.toLowerCase()}@example.org`;
    await settings.getByLabel('Email').fill(guest);
    await button(settings, 'Create invitation').click();
    const invited = invitations.filter({ hasText: guest });
    await invited.waitFor();
    await button(invited, `Delete: ${guest}`).click();
    await invited.waitFor({ state: 'detached' });
    await used.waitFor();
  });

  it('refuses a spent invitation in the form', async () => {
    const page = await browser.open({ url: `${base.href}#invitation=spent` });
    await page.getByLabel('Username').fill('grace.of.nowhere');
    await page.getByLabel('Email').fill('grace.of.nowhere@example.org');
    await page.getByLabel('Password').fill('a lovely engine of 1843');
    await button(page, 'Sign up').first().click();
    const invitation = page.getByLabel('Invitation code');
    await until(async () => (await invitation.getAttribute('aria-invalid')) === 'true', 'the error');
  });

  it('fits a narrow screen', async () => {
    const page = await openAsAdmin({ viewport: NARROW });
    await button(page, 'Open sidebar').click();
    const settings = await openSettings(page, 'Users');
    for (const tab of ['Users', 'Invitations', 'Audit']) {
      await button(settings, tab).click();
      await settings.getByRole('listitem').first().waitFor();
      const [width, inner] = await page.evaluate(() => [
        document.documentElement.scrollWidth,
        document.querySelector('dialog').scrollWidth - document.querySelector('dialog').clientWidth,
      ]);
      assert.ok(width <= NARROW.width && inner === 0, `${tab} scrolls sideways`);
    }
  });
});
