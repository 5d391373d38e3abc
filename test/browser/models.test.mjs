import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as support from './support.mjs';

const { button, dialog, isComplete, openSettings, replies, send, until } = support;
const browser = support.useBrowser();
let provider;
before(async () => (provider = await support.startProvider()));
after(() => provider.close());

describe('models', () => {
  let page;
  let settings;
  before(async () => {
    page = await browser.open();
    await support.signUp(page);
    settings = await openSettings(page);
  });

  it('are added: a wrong field is named, a provider fills in its URL', async () => {
    await settings.getByText('No model of your own yet.').waitFor();
    await button(settings, 'Add a model').click();
    await button(settings, 'DeepSeek').click();
    assert.equal(await settings.getByLabel('URL').inputValue(), 'https://api.deepseek.com/v1');
    await settings.getByLabel('URL').fill('ftp://example.org');
    await settings.getByLabel('Model name').fill('played');
    await button(settings, 'Save and test').click();
    await until(
      async () => (await settings.getByLabel('URL').getAttribute('aria-invalid')) === 'true',
      'the error',
    );
  });

  it('are tested when saved, and the failure is shown with what the provider said', async () => {
    provider.refusal = { status: 401, message: 'No such key here.' };
    await settings.getByLabel('URL').fill(provider.url);
    await settings.getByLabel('API key').fill('sk-wrong');
    await button(settings, 'Save and test').click();
    await settings.getByText(/^Does not work\. .*No such key here\./).waitFor();
    provider.refusal = null;
    await button(settings, 'Save and test').click();
    await settings.getByText(/^Works, answered in \d+ ms$/).waitFor();
  });

  it('are picked from the list of the provider', async () => {
    await button(settings, 'other').click();
    assert.equal(await settings.getByLabel('Model name').inputValue(), 'other');
    await settings.getByText('More settings').click();
    await settings.getByLabel('Display name').fill('The other one');
    await button(settings, 'Save and test').click();
    await settings.getByText(/^Works/).waitFor();
    await button(settings.getByRole('contentinfo').or(settings.locator('footer')), 'Close').click();
    await settings.getByText('The other one').waitFor();
  });

  it('are tested from the list; the default is changed', async () => {
    await button(settings, 'Add a model').click();
    await settings.getByLabel('URL').fill(provider.url);
    await settings.getByLabel('Model name').fill('played');
    await button(settings, 'Save and test').click();
    await settings.getByText(/^Works/).waitFor();
    await button(settings.locator('footer'), 'Close').click();

    await button(settings, 'Test played').click();
    await settings.getByText(/^Works/).waitFor();
    await button(settings, 'Make default: played').click();
    await button(settings, 'Make default: The other one').waitFor();
    await page.keyboard.press('Escape');
  });

  it('are chosen for a chat, as is its system prompt', async () => {
    await button(page, 'Chat settings').click();
    const form = dialog(page, 'Chat settings');
    await form.getByLabel('Model').selectOption({ label: 'The other one' });
    await form.getByLabel('System prompt').fill('Answer like a sailor.');
    await button(form, 'Save').click();
    await form.waitFor({ state: 'detached' });
    await send(page, 'Ahoy');
    await isComplete(page);
    await replies(page).first().getByText('other · 1,234 tokens').waitFor();
    assert.equal(provider.requests.at(-1)[0].content, 'Answer like a sailor.');

    await page.getByRole('combobox', { name: 'Model' }).selectOption({ label: 'played' });
    await send(page, 'And now?');
    await isComplete(page, 1);
    await replies(page).nth(1).getByText('played · 1,234 tokens').waitFor();
    await button(page, 'Chat settings').click();
    assert.equal(await form.getByLabel('System prompt').inputValue(), 'Answer like a sailor.');
    await form.getByLabel('System prompt').fill('');
    await button(form, 'Save').click();
    await form.waitFor({ state: 'detached' });
    await send(page, 'Done?');
    await isComplete(page, 2);
    assert.equal(provider.requests.at(-1)[0].role, 'user');
  });

  it('are deleted, and chats go on with the default', async () => {
    settings = await openSettings(page);
    for (const name of ['played', 'The other one']) {
      await button(settings, `Delete: ${name}`).click();
      await button(dialog(page, `Delete the model “${name}”?`), 'Delete').click();
      await button(settings, `Delete: ${name}`).waitFor({ state: 'detached' });
    }
    await button(settings, 'Close').click();
    await settings.waitFor({ state: 'detached' });
    await button(page, 'Add a model').waitFor();
    await send(page, 'Who answers?');
    await replies(page).nth(3).getByText("Parley's built-in demo model").waitFor();
  });
});
