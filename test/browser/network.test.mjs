import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { check } from './axe.mjs';
import * as support from './support.mjs';

const { button, isComplete, messages, NARROW, replies, send, WIDE } = support;
const browser = support.useBrowser();
let provider;
let line;
before(async () => ([provider, line] = await Promise.all([support.startProvider(), support.startLine()])));
after(() => (provider.close(), line.close()));

const LINES = Array.from({ length: 80 }, (_, index) => `Line ${index + 1} of the reply.\n\n`);
const offline = (page) => page.getByText('You are offline.', { exact: false });

for (const viewport of [WIDE, NARROW]) {
  describe(`a lost connection at ${viewport.width} pixels`, () => {
    let page;
    let second;
    before(async () => {
      page = await browser.open({ url: line.url, viewport });
      await support.signUp(page);
      if (viewport === NARROW) await button(page, 'Open sidebar').click();
      await support.addModel(page, provider);
      if (viewport === NARROW) await page.keyboard.press('Escape');
      await send(page, 'Hello');
      await isComplete(page);
      second = await browser.tab(page.context(), page.url());
      await isComplete(second);
      await page.bringToFront();
    });

    it('is shown, and what is sent meanwhile is delivered once, in order', async () => {
      line.cut();
      await offline(page).waitFor();
      await send(page, 'Sent from a tunnel');
      await send(page, 'And once more');
      await messages(page).filter({ hasText: 'Waiting to be sent' }).nth(1).waitFor();
      line.mend();
      await isComplete(page, 2);
      await offline(page).waitFor({ state: 'detached' });
      for (const tab of [second, page]) {
        await tab.bringToFront();
        await isComplete(tab, 2);
        const texts = await messages(tab).locator('.bubble').allInnerTexts();
        assert.deepEqual(texts, ['Hello', 'Sent from a tunnel', 'And once more']);
      }
    });

    it('in the middle of a reply loses no word', async () => {
      provider.script = LINES;
      provider.paceMs = 25;
      await send(page, 'Eighty lines, please');
      for (const count of [10, 40]) {
        await replies(page).nth(3).locator('.prose p').nth(count).waitFor();
        line.cut();
        await new Promise((resolve) => setTimeout(resolve, 300));
        line.mend();
      }
      await isComplete(page, 3);
      const text = await replies(page).nth(3).locator('.prose').innerText();
      assert.equal(text, LINES.join('').trim());
      Object.assign(provider, { script: ['Hello', ' there.'], paceMs: 0 });
    });

    it('delivers the first messages of a new chat that were sent offline', async () => {
      if (viewport === NARROW) await button(page, 'Open sidebar').click();
      await button(page, 'New chat').click();
      line.cut();
      await send(page, 'A first message');
      await send(page, 'A second one');
      await messages(page).filter({ hasText: 'Waiting to be sent' }).nth(1).waitFor();
      await check(page, 'messages that wait');
      await support.field(page).fill('Not sent yet');
      line.mend();
      await isComplete(page, 1);
      const texts = await messages(page).locator('.bubble').allInnerTexts();
      assert.deepEqual(texts, ['A first message', 'A second one']);
      assert.equal(await support.field(page).inputValue(), 'Not sent yet');
      await support.field(page).fill('');
    });

    it('delivers the first message of a new chat after a reload, once', async () => {
      if (viewport === NARROW) await button(page, 'Open sidebar').click();
      await button(page, 'New chat').click();
      await page.route('**/conversations/create', (route) => route.abort());
      await send(page, 'Kept through a reload');
      await messages(page).filter({ hasText: 'Sending…' }).waitFor();
      await page.reload();
      await messages(page).filter({ hasText: 'Kept through a reload' }).waitFor();
      await page.unroute('**/conversations/create');
      await isComplete(page);
      await page.reload();
      await isComplete(page);
      const texts = await messages(page).locator('.bubble').allInnerTexts();
      assert.deepEqual(texts, ['Kept through a reload']);
    });

    it('shows why a new chat was refused, and delivers its message when it is tried again', async () => {
      if (viewport === NARROW) await button(page, 'Open sidebar').click();
      await button(page, 'New chat').click();
      const problem = { status: 500, code: 'internal_error', detail: 'Something broke.' };
      await page.route('**/conversations/create', (route) => route.fulfill({ status: 500, json: problem }));
      await send(page, 'Refused at first');
      await page.getByRole('alert').filter({ hasText: 'Not sent: Something broke.' }).waitFor();
      await page.unroute('**/conversations/create');
      await button(page, 'Try again').click();
      await isComplete(page);
      assert.deepEqual(await messages(page).locator('.bubble').allInnerTexts(), ['Refused at first']);
    });
  });
}
