/** The pages of administrators. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { button, dialog, makeAdmin, NARROW, openSettings, signUp, until, useBrowser } from './support.mjs';

const browser = useBrowser();

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

  it('fits a narrow screen', async () => {
    const page = await openAsAdmin({ viewport: NARROW });
    await button(page, 'Open sidebar').click();
    const settings = await openSettings(page, 'Users');
    await settings.getByRole('listitem').first().waitFor();
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    await until(async () => (await width()) <= NARROW.width, 'no horizontal scrolling');
  });
});
