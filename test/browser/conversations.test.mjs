import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  addModel,
  startProvider,
  base,
  button,
  dialog,
  field,
  isComplete,
  messages,
  replies,
  send,
  signUp,
  until,
  useBrowser,
} from './support.mjs';

const browser = useBrowser();

const script = (question) => [`You said: “${question}”.\n\n`, ...Array(40).fill('And so on. ')];

describe('conversations', () => {
  let page;
  let second;
  let provider;
  const list = (tab) => tab.getByRole('navigation', { name: 'Conversations' });
  const link = (tab, name) => list(tab).getByRole('link', { name, exact: true });

  /** Checks the first tab last, which stays in front: frames of other tabs are rare. */
  async function both(check) {
    const found = [];
    for (const tab of [second, page]) {
      await tab.bringToFront();
      found.push(await check(tab));
    }
    return found;
  }

  async function choose(action, title) {
    await link(page, title).hover();
    await button(list(page), `More for ${title}`).click();
    await page.getByRole('menuitem', { name: action }).click();
  }

  before(async () => {
    provider = await startProvider();
    page = await browser.open();
    await signUp(page);
    await addModel(page, provider);
    Object.assign(provider, { script, paceMs: 20, title: 'How lighthouses work' });
    second = await browser.tab(page.context());
    await page.bringToFront();
  });

  after(() => provider.close());

  it('begin with a suggestion and get a title by themselves, in every tab', async () => {
    await page.getByText('Your conversations will appear here.').waitFor();
    await page.getByRole('button', { name: /^Explain something/ }).click();
    await isComplete(page);
    await page.getByRole('heading', { level: 1, name: 'How lighthouses work' }).waitFor();
    await both((tab) => link(tab, 'How lighthouses work').waitFor());
  });

  it('are the same in a second tab while a reply runs', async () => {
    await second.goto(page.url());
    await isComplete(second);
    await page.bringToFront();
    await send(page, 'And foghorns?');
    await second.bringToFront();
    await replies(second).nth(1).locator('.prose p').first().waitFor();
    await both((tab) => isComplete(tab, 1));
    const [one, other] = await both((tab) => replies(tab).nth(1).locator('.prose').innerText());
    assert.equal(one, other);
  });

  it('are the same after a reload', async () => {
    const shown = () => page.getByRole('region', { name: 'Messages' }).innerText();
    const earlier = await shown();
    await page.reload();
    await isComplete(page, 1);
    assert.equal(await shown(), earlier);
  });

  it('are renamed, pinned, archived and restored', async () => {
    await choose('Rename', await page.getByRole('heading', { level: 1 }).innerText());
    await page.getByRole('textbox', { name: 'Title' }).fill('Things at sea');
    await page.keyboard.press('Enter');
    await both((tab) => tab.getByRole('heading', { level: 1, name: 'Things at sea' }).waitFor());

    await choose('Pin', 'Things at sea');
    await both((tab) => list(tab).getByRole('heading', { name: 'Pinned' }).waitFor());

    await choose('Archive', 'Things at sea');
    await both((tab) => link(tab, 'Things at sea').waitFor({ state: 'detached' }));
    await button(page, 'Archived').click();
    await button(dialog(page, 'Archived conversations'), 'Restore: Things at sea').click();
    await page.getByText('Nothing is archived.').waitFor();
    await both((tab) => link(tab, 'Things at sea').waitFor());
    await page.keyboard.press('Escape');
  });

  it('are found by words of a message, which is shown and focused', async () => {
    await button(page, 'New chat').click();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('foghorns');
    await page.getByText(/^\d+ results?$/).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await messages(page).filter({ hasText: 'And foghorns?' }).waitFor();
    await until(
      () => page.evaluate(() => document.activeElement.localName === 'article'),
      'the message has the focus',
    );
    assert.match(await page.evaluate(() => document.activeElement.innerText), /foghorns/);
    await page.getByRole('searchbox').fill('no such words anywhere');
    await page.getByText('Nothing found.').waitFor();
    await page.keyboard.press('Escape');
    await link(page, 'Things at sea').waitFor();
  });

  it('load earlier messages above without moving what is read', async () => {
    await link(page, 'Things at sea').click();
    await page.waitForURL(/#\/\d+$/);
    provider.paceMs = 0;
    await fillHistory(page, 30);
    await page.reload();
    const earlier = button(page, 'Load earlier messages');
    await earlier.scrollIntoViewIfNeeded();
    const first = messages(page).first();
    const text = await first.innerText();
    const top = (await first.boundingBox()).y;
    await earlier.click();
    await until(async () => (await messages(page).first().innerText()) !== text, 'earlier messages');
    const now = (await messages(page).filter({ hasText: text }).boundingBox()).y;
    assert.ok(Math.abs(now - top) < 60, `moved by ${now - top} pixels`);
  });

  it('are deleted after a question, in every tab', async () => {
    await choose('Delete', 'Things at sea');
    await button(dialog(page, 'Delete “Things at sea”?'), 'Cancel').click();
    await link(page, 'Things at sea').waitFor();
    await choose('Delete', 'Things at sea');
    await button(dialog(page, 'Delete “Things at sea”?'), 'Delete').click();
    await both((tab) => link(tab, 'Things at sea').waitFor({ state: 'detached' }));
    await both((tab) => tab.getByRole('heading', { name: /^What is on your mind/ }).waitFor());
  });

  it('keep the text that was not sent', async () => {
    await field(page).fill('A thought for later');
    await page.goto(`${base.href}#/999999`);
    await page.getByText('This conversation does not exist').waitFor();
    await button(page, 'New chat').click();
    await page.getByRole('heading', { name: /^What is on your mind/ }).waitFor();
    assert.equal(await field(page).inputValue(), 'A thought for later');
  });
});

/** Sends messages over the API. */
async function fillHistory(page, count) {
  await page.evaluate(
    async ([id, count]) => {
      const session = Object.entries(localStorage).find(([key]) => key.startsWith('parley:'))[1];
      const headers = {
        Authorization: `Bearer ${JSON.parse(session).access_token}`,
        'Content-Type': 'application/json',
      };
      const post = (path, body = {}) =>
        fetch(`conversations/${id}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      for (let index = 0; index < count; index++) {
        await post('chat', { content: `Message ${String(index).padStart(3, '0')}` });
      }
    },
    [Number(/#\/(\d+)/.exec(page.url())[1]), count],
  );
}
