import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { check } from './axe.mjs';
import * as support from './support.mjs';

const { button, dialog, isComplete, NARROW, replies, send, until, WIDE } = support;
const browser = support.useBrowser();
let provider;
before(async () => (provider = await support.startProvider()));
after(() => provider.close());

const EVERYTHING = [
  '# A heading\n\nSome **bold** text with `code`, a [link](https://example.org) and ~~more~~.\n\n> A quote\n\n',
  '1. One\n2. Two\n\n- [x] Done\n- [ ] Open\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n',
  `\`\`\`ts\n/** A comment. */\nexport class A<T> extends B { x = 'text' + 42; /re/; @deco() m(): void {} }\n${'long '.repeat(60)}\n\`\`\`\n`,
  '```diff\n- old\n+ new\n```\n\n```json\n{ "a": [true, null, 1.5] }\n```\n\n```xml\n<a b="c">d</a>\n```\n',
];

for (const viewport of [WIDE, NARROW]) {
  it(`has nothing serious for axe at ${viewport.width} pixels`, async () => {
    const page = await browser.open({ viewport });
    const openDrawer = async () => viewport === NARROW && (await button(page, 'Open sidebar').click());
    await page.getByLabel('Username').waitFor();
    await check(page, 'sign-up');
    await button(page, 'Sign up').click();
    await page.locator('[aria-invalid=true]').first().waitFor();
    await check(page, 'sign-up with errors');
    await support.signUp(page);
    await check(page, 'new chat');
    await openDrawer();
    await check(page, 'sidebar');

    const settings = await support.openSettings(page);
    await check(page, 'models');
    await button(settings, 'Add a model').click();
    await settings.getByLabel('URL').fill(provider.url);
    await settings.getByLabel('Model name').fill('played');
    await button(settings, 'Save and test').click();
    await settings.getByText(/^Works/).waitFor();
    await check(page, 'a model');
    for (const tab of ['Account', 'Sessions']) {
      await button(settings, tab).click();
      await check(page, tab);
    }
    await button(settings, 'Close').click();
    if (viewport === NARROW) await button(page, 'Close sidebar').click();

    provider.script = [{ reasoning: 'Thinking.' }, ...EVERYTHING];
    await send(page, 'Everything, please');
    await isComplete(page);
    await replies(page).first().getByText('Thought process').click();
    await button(replies(page).first(), 'Regenerate').click();
    await replies(page).first().getByText('2/2').waitFor();
    provider.refusal = { status: 401, message: 'No.' };
    await send(page, 'And a failure');
    await replies(page).nth(1).locator('.error').waitFor();
    provider.refusal = null;
    await check(page, 'chat');
    await button(page, 'Chat settings').click();
    await check(page, 'chat settings');
    await page.keyboard.press('Escape');
    await openDrawer();
    await page.getByRole('searchbox').fill('please');
    await page.locator('.results mark').first().waitFor();
    await check(page, 'search');
    await button(page, 'Archived').click();
    await page.getByText('Nothing is archived.').waitFor();
    await check(page, 'archive');
    await page.context().close();
  });
}

describe('the keyboard alone', () => {
  let page;
  const focused = () =>
    page.evaluate(
      () => document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText,
    );
  const press = (...keys) =>
    keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());

  /** Presses Tab until the element with this label or text has the focus. */
  async function tabTo(name, key = 'Tab') {
    for (let count = 0; count < 60; count++) {
      if ((await focused())?.trim() === name) return;
      await press(key);
    }
    assert.fail(`${name} cannot be reached`);
  }

  before(async () => {
    page = await browser.open();
    const name = `grace${Date.now().toString(36)}`;
    await page.getByLabel('Username').waitFor();
    await page.keyboard.type(name);
    await press('Tab');
    await page.keyboard.type(`${name}@example.org`);
    await press('Tab');
    await page.keyboard.type(support.PASSWORD);
    await press('Enter');
    await page.getByRole('heading', { name: `What is on your mind, ${name}?` }).waitFor();
  });

  it('chats, stops, regenerates and copies', async () => {
    await until(async () => (await focused()) === 'Message', 'the message field has the focus');
    await page.keyboard.type('Hello from the keyboard');
    await press('Enter');
    await replies(page).first().locator('.prose p').first().waitFor();
    await press('Escape');
    await replies(page).first().getByText('Stopped').waitFor();
    assert.equal(await focused(), 'Message');
    await tabTo('Regenerate', 'Shift+Tab');
    await press('Enter');
    await replies(page).first().getByText('2/2').waitFor();
  });

  it('works a menu by arrow keys, and returns the focus', async () => {
    await press('Control+k', 'ArrowDown', 'Tab', 'Enter');
    await until(async () => (await focused()) === 'Rename', 'the first item has the focus');
    await press('ArrowDown', 'ArrowDown', 'ArrowUp', 'ArrowUp', 'ArrowUp');
    assert.equal(await focused(), 'Delete');
    await press('Escape');
    assert.match(await focused(), /^More for/);
    await press('Enter');
    await until(async () => (await focused()) === 'Rename', 'the first item has the focus again');
    await press('Enter');
    await until(async () => (await focused()) === 'Title', 'the title has the focus');
    await press('Control+a');
    await page.keyboard.type('By keyboard');
    await press('Enter');
    await page.getByRole('heading', { level: 1, name: 'By keyboard' }).waitFor();
    assert.match(await focused(), /^More for/);
  });

  it('stays in a dialog, and returns to the button that opened it', async () => {
    await tabTo('Chat settings');
    await press('Enter');
    await dialog(page, 'Chat settings').waitFor();
    for (let count = 0; count < 12; count++) {
      await press('Tab');
      const isInside = await page.evaluate(
        () => document.activeElement === document.body || Boolean(document.activeElement.closest('dialog')),
      );
      assert.ok(isInside, 'the focus left the dialog');
    }
    await press('Escape');
    await dialog(page, 'Chat settings').waitFor({ state: 'detached' });
    assert.equal(await focused(), 'Chat settings');
  });

  it('skips to the message field, and begins a new chat', async () => {
    await page.reload();
    await isComplete(page);
    await tabTo('Skip to the message field', 'Shift+Tab');
    await press('Enter');
    assert.equal(await focused(), 'Message');
    await press('Control+Shift+o');
    await page.getByRole('heading', { level: 1, name: 'New chat' }).waitFor();
  });
});

it('moves nothing for a reader who wants less motion', async () => {
  const page = await browser.open({ reducedMotion: 'reduce' });
  await support.signUp(page);
  await send(page, 'Hello');
  await replies(page).first().waitFor();
  assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
});

for (const viewport of [WIDE, NARROW]) {
  it(`has nothing serious for axe in the pages of administrators at ${viewport.width} pixels`, async () => {
    const page = await browser.open({ viewport });
    await support.makeAdmin(page, await support.signUp(page));
    if (viewport === NARROW) await button(page, 'Open sidebar').click();
    const settings = await support.openSettings(page, 'Users');
    await settings.getByRole('listitem').first().waitFor();
    await check(page, 'users');
    await button(settings, 'Invitations').click();
    await button(settings, 'Create invitation').click();
    await settings.getByRole('listitem').first().waitFor();
    await check(page, 'invitations');
    await button(settings, 'Audit').click();
    await settings.getByText('admin.users.list').first().waitFor();
    await check(page, 'audit');
  });
}
