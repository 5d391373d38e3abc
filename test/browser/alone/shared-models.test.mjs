/** Shared models and usage. Shared models change the default of all users, so no other test may run beside these. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { check } from '../axe.mjs';
import * as support from '../support.mjs';

const { button, dialog, isComplete, NARROW, openSettings, replies, send, until, WIDE } = support;
const browser = support.useBrowser();
const NAME = `Model of the house ${process.pid}`;
let provider;
before(async () => (provider = await support.startProvider()));
after(() => provider.close());

const cells = (settings) =>
  settings
    .getByRole('row')
    .evaluateAll((rows) => rows.map(({ cells }) => [...cells].map((cell) => cell.textContent)));

describe('shared models', () => {
  let page;
  let settings;
  let theirs;
  let account;
  before(async () => {
    page = await browser.open();
    await support.makeAdmin(page, await support.signUp(page));
    settings = await openSettings(page, 'Shared models');
    theirs = await browser.open();
    account = await support.signUp(theirs);
  });
  const models = () => theirs.getByRole('combobox', { name: 'Model' }).locator('option');
  const isOffered = () =>
    models()
      .allTextContents()
      .then((names) => names.includes(NAME));

  it('are added with a quota, and offered to users', async () => {
    await button(settings, 'Add a model').click();
    await settings.getByLabel('URL').fill(provider.url);
    await settings.getByLabel('API key').fill('sk-of-the-house');
    await settings.getByLabel('Model name').fill('played');
    await settings.getByText('More settings').click();
    await settings.getByLabel('Display name').fill(NAME);
    await settings.getByLabel('Daily tokens per user').fill('0');
    await button(settings, 'Save and test').click();
    const tokens = settings.getByLabel('Daily tokens per user');
    await until(async () => (await tokens.getAttribute('aria-invalid')) === 'true', 'the error');
    await tokens.fill('1500');
    await button(settings, 'Save and test').click();
    await settings.getByText(/^Works, answered in \d+ ms$/).waitFor();
    await button(settings.locator('footer'), 'Close').click();
    await settings.getByText('played · 1,500 tokens a day per user').waitFor();

    await until(isOffered, 'the model in the list');
  });

  it('answer users within the quota, who see what is left', async () => {
    await theirs.getByRole('combobox', { name: 'Model' }).selectOption({ label: NAME });
    await send(theirs, 'Ahoy');
    await isComplete(theirs);
    await replies(theirs).first().getByText('played · 1,234 tokens').waitFor();
    await theirs.getByText('A fine title').first().waitFor();

    const own = await openSettings(theirs, 'Usage');
    await own.getByText(/^0 of 1,500 tokens left today\. Full again on /).waitFor();
    const [head, day, total] = await cells(own);
    assert.deepEqual(head, ['Day', 'Replies', 'Prompt tokens', 'Completion tokens']);
    assert.deepEqual(day.slice(1), ['1', '2,400', '68']);
    assert.deepEqual(total, ['Total', ...day.slice(1)]);
    await own.getByLabel('Group by').selectOption('By model');
    await own.getByRole('rowheader', { name: NAME }).waitFor();
    assert.equal(await own.getByLabel('Usage of').count(), 0);
    await theirs.keyboard.press('Escape');
    await send(theirs, 'Once more');
    await theirs.getByText('You have used the 1500 tokens a day of this model', { exact: false }).waitFor();
  });

  it('tell users whom to ask when the key cannot be read', async () => {
    await theirs.route('**/auth/config', async (route) => {
      const response = await route.fetch();
      const { configs, total } = await response.json();
      const unreadable = configs.map((config) => ({ ...config, key_status: 'unreadable' }));
      await route.fulfill({ response, json: { configs: unreadable, total } });
    });
    await theirs.reload();
    const own = await openSettings(theirs);
    await own.getByText('The key cannot be read any more. Ask an administrator', { exact: false }).waitFor();
    await theirs.unroute('**/auth/config');
    await theirs.reload();
  });

  it('are counted for administrators by user, model and configuration', async () => {
    await button(settings, 'Usage').click();
    await settings.getByText('No replies in the last 30 days.').waitFor();
    await settings.getByLabel('Usage of').selectOption('All users');
    await settings.getByLabel('Group by').selectOption('By model');
    const row = settings.getByRole('row').filter({ hasText: NAME });
    await row.waitFor();
    assert.deepEqual(await row.locator('td').allTextContents(), ['1', '2,400', '68']);
    await settings.getByLabel('Group by').selectOption('By user');
    await settings.getByRole('rowheader', { name: account.email, exact: true }).waitFor();
    await settings.getByLabel('Group by').selectOption('By model name');
    await settings.getByRole('rowheader', { name: 'played', exact: true }).waitFor();
    const align = (name) =>
      settings
        .getByRole(name)
        .last()
        .evaluate((cell) => getComputedStyle(cell).textAlign);
    assert.equal(await align('cell'), 'right');
  });

  it('keep the key when edited, and lose the quota', async () => {
    await button(settings, 'Shared models').click();
    await button(settings, `Edit ${NAME}`).click();
    assert.equal(await settings.getByLabel('API key').inputValue(), '');
    assert.equal(await settings.getByLabel('URL').inputValue(), provider.url);
    await settings.getByLabel('Daily tokens per user').fill('');
    await button(settings, 'Save and test').click();
    await settings.getByText(/^Works/).waitFor();
    assert.equal(provider.authorization, 'Bearer sk-of-the-house');
    await button(settings.locator('footer'), 'Close').click();
    await button(settings, `Test ${NAME}`).click();
    await settings.getByText(/^Works/).waitFor();
    assert.equal(await settings.getByText(/tokens a day/).count(), 0);
  });

  it('are disabled, enabled, made the default and deleted', async () => {
    await button(settings, `Disable: ${NAME}`).click();
    await until(async () => !(await isOffered()), 'the model gone from the list');
    await button(settings, `Enable: ${NAME}`).click();
    await until(isOffered, 'the model back in the list');

    await button(settings, 'Add a model').click();
    await settings.getByLabel('URL').fill(provider.url);
    await settings.getByLabel('Model name').fill('other');
    await button(settings, 'Save and test').click();
    await settings.getByText(/^Works/).waitFor();
    await button(settings.locator('footer'), 'Close').click();
    await button(settings, 'Make default: other').click();
    await button(settings, `Make default: ${NAME}`).waitFor();
    await remove('other');
    await remove(NAME);
    await until(async () => !(await isOffered()), 'the model gone from the list');
  });

  for (const viewport of [WIDE, NARROW]) {
    it(`are on pages that fit ${viewport.width} pixels, with nothing serious for axe`, async () => {
      await page.setViewportSize(viewport);
      await button(settings, 'Shared models').click();
      await settings.getByText('No shared models yet.').waitFor();
      await button(settings, 'Add a model').click();
      await settings.getByLabel('URL').fill(provider.url);
      await settings.getByLabel('Model name').fill('played');
      await settings.getByLabel('Daily tokens per user').fill('1000');
      await checkFit('form of a shared model');
      await button(settings, 'Save and test').click();
      await settings.getByText(/^Works/).waitFor();
      await button(settings.locator('footer'), 'Close').click();
      await settings.getByText('1,000 tokens a day per user').waitFor();
      await checkFit('shared models');
      await button(settings, 'Usage').click();
      await settings.getByText('1,000 of 1,000 tokens left', { exact: false }).waitFor();
      await settings.getByLabel('Usage of').selectOption('All users');
      await settings.getByRole('table').waitFor();
      await checkFit('usage');
      await button(settings, 'Shared models').click();
      await remove('played');
    });
  }

  async function checkFit(screen) {
    const overflow = await settings.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth);
    assert.equal(overflow, 0, `${screen} scrolls sideways`);
    await check(page, screen);
  }

  async function remove(name) {
    await button(settings, `Delete: ${name}`).click();
    await button(dialog(page, `Delete the model “${name}”?`), 'Delete').click();
    await button(settings, `Delete: ${name}`).waitFor({ state: 'detached' });
  }
});
