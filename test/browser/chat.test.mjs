import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as support from './support.mjs';

const { addModel, button, field, isComplete, messages, NARROW, replies, send, until, WIDE } = support;
const browser = support.useBrowser();
let provider;
before(async () => (provider = await support.startProvider()));
after(() => provider.close());

const LINES = Array.from({ length: 60 }, (_, index) => `Line ${index + 1} of the reply.\n\n`);
const scroller = (page) => page.getByRole('region', { name: 'Messages' });
const distanceToBottom = (page) =>
  scroller(page).evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight);
const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());
const prose = (page, index = 0) => replies(page).nth(index).locator('.prose');

for (const viewport of [WIDE, NARROW]) {
  describe(`a chat at ${viewport.width} pixels`, () => {
    let page;
    before(async () => {
      page = await browser.open({ viewport, permissions: ['clipboard-read', 'clipboard-write'] });
      await support.signUp(page);
      if (viewport === NARROW) await button(page, 'Open sidebar').click();
      await addModel(page, provider);
      if (viewport === NARROW) await page.keyboard.press('Escape');
    });

    it('streams a reply at the bottom of the page, as Markdown', async () => {
      provider.script = LINES;
      provider.paceMs = 20;
      await send(page, 'Sixty lines, please');
      await until(async () => (await prose(page).locator('p').count()) > 25, 'half of the reply');
      assert.ok((await prose(page).locator('p').count()) < 60, 'nothing was streamed');
      assert.ok((await distanceToBottom(page)) < 5, 'the page does not follow');
      await isComplete(page);
      assert.equal(await prose(page).innerText(), LINES.join('').trim());
      assert.ok((await distanceToBottom(page)) < 5, 'the page does not end at the bottom');
      await page.getByRole('heading', { level: 1, name: 'A fine title' }).waitFor();
    });

    it('keeps the place of a reader who has scrolled up, and jumps to the newest on request', async () => {
      await send(page, 'Again, please');
      await prose(page, 1).locator('p').nth(20).waitFor();
      await scroller(page).evaluate((element) => (element.scrollTop = 200));
      await button(page, 'Jump to newest').waitFor();
      await isComplete(page, 1);
      assert.equal(await scroller(page).evaluate((element) => element.scrollTop), 200);

      await button(page, 'Jump to newest').click();
      await until(async () => (await distanceToBottom(page)) < 5, 'the bottom');
      await button(page, 'Jump to newest').waitFor({ state: 'detached' });
    });

    it('does not replace what is on the page while it streams', async () => {
      provider.script = [
        'A first paragraph.\n\n',
        '```ts\nconst a = 1;\n',
        ...Array(30).fill('const b = 2;\n'),
        '```',
      ];
      await send(page, 'Code, please');
      await prose(page, 2).locator('code').waitFor();
      const nodes = await prose(page, 2).evaluateHandle((element) => [...element.querySelectorAll('p, pre')]);
      await isComplete(page, 2);
      assert.deepEqual(await nodes.evaluate((all) => all.map((node) => node.isConnected)), [true, true]);
      assert.ok((await prose(page, 2).locator('.hljs-keyword').count()) > 30, 'the code is not highlighted');
    });

    it('copies a message and a code block', async () => {
      await button(replies(page).nth(2), 'Copy code').click();
      await until(
        async () => /^const a = 1;\n(const b = 2;\n?){30}$/.test(await clipboard(page)),
        'the code',
      );
      await button(replies(page).nth(2), 'Copy').click();
      await until(
        async () => (await clipboard(page)).startsWith('A first paragraph.\n\n```ts'),
        'the message',
      );
      await button(replies(page).nth(2).locator('.actions'), 'Copied').waitFor();
    });

    it('stops a reply by its button and by Escape, and keeps the text', async () => {
      provider.script = LINES;
      for (const [index, stop] of [
        [3, () => button(page, 'Stop').click()],
        [4, () => page.keyboard.press('Escape')],
      ]) {
        await send(page, 'Sixty lines, please');
        await prose(page, index).locator('p').nth(3).waitFor();
        await stop();
        await replies(page).nth(index).getByText('Stopped').waitFor();
        const shown = await prose(page, index).locator('p').count();
        assert.ok(shown > 3 && shown < 60, `${shown} lines`);
      }
    });

    it('regenerates a reply and switches between its versions', async () => {
      provider.paceMs = 0;
      provider.script = ['Another reply.'];
      await button(replies(page).nth(4), 'Regenerate').click();
      await prose(page, 4).getByText('Another reply.').waitFor();
      await replies(page).nth(4).getByText('2/2').waitFor();
      await button(replies(page).nth(4), 'Previous version').click();
      await prose(page, 4).getByText('Line 1 of the reply.').waitFor();
      await replies(page).nth(4).getByText('1/2').waitFor();
      await button(replies(page).nth(4), 'Next version').click();
      await prose(page, 4).getByText('Another reply.').waitFor();
    });

    it('edits a message, on a branch of its own', async () => {
      provider.script = (question) => [`You said: ${question}`];
      await messages(page).nth(4).hover();
      await button(messages(page).nth(4), 'Edit').click();
      await page.getByRole('textbox', { name: 'Edit the message' }).fill('Something else');
      await button(page, 'Send again').click();
      await prose(page, 4).getByText('You said: Something else').waitFor();
      await messages(page).nth(4).getByText('2/2').waitFor();
      await button(messages(page).nth(4), 'Previous version').click();
      await messages(page).nth(4).getByText('Sixty lines, please').waitFor();
    });

    it('folds the reasoning and shows model and usage', async () => {
      provider.script = [{ reasoning: 'First I think.' }, 'Then I speak.'];
      await send(page, 'Think first');
      await isComplete(page, 5);
      const thought = replies(page).nth(5).getByText('First I think.');
      assert.equal(await thought.isVisible(), false);
      await replies(page).nth(5).getByText('Thought process').click();
      await thought.waitFor();
      await replies(page).nth(5).getByText('played · 1,234 tokens').waitFor();
    });

    it('shows why a reply failed', async () => {
      provider.refusal = { status: 401, message: 'Incorrect API key provided.' };
      await send(page, 'Does it work?');
      await replies(page).nth(6).getByText('The reply failed. Incorrect API key provided.').waitFor();
      assert.equal(await button(replies(page).nth(6), 'Copy').count(), 0, 'there is nothing to copy');
      provider.refusal = null;
    });

    it('sends by Enter, and not by Shift and Enter', async () => {
      await field(page).fill('One');
      await field(page).press('Shift+Enter');
      await page.keyboard.type('Two');
      await field(page).press('Enter');
      await until(async () => (await messages(page).last().innerText()).includes('One\nTwo'), 'two lines');
      await isComplete(page, 7);
    });

    it('says why a message is refused', async () => {
      await send(page, 'x'.repeat(100_001));
      const refused = messages(page).last();
      await refused.getByText('Not sent: Must have at most 100000 characters.').waitFor();
      await button(refused, 'Remove').click();
      await refused.getByText('Not sent').waitFor({ state: 'detached' });
    });

    it('announces the finished reply once, and none of its pieces', async () => {
      provider.paceMs = 20;
      provider.script = ['A ', 'reply ', 'in ', 'five ', 'pieces.'];
      const announcement = page.locator('[role=status].sr-only');
      await until(async () => (await announcement.innerText()) === '', 'the end of the announcement before');
      await page.evaluate(() => {
        globalThis.announced = [];
        new MutationObserver(() => {
          const texts = [...document.querySelectorAll('[role=status].sr-only')].map(
            (element) => element.textContent,
          );
          const text = texts.filter(Boolean).join();
          if (text && announced.at(-1) !== text) announced.push(text);
        }).observe(document.body, { subtree: true, childList: true, characterData: true });
      });
      await send(page, 'Speak up');
      await isComplete(page, 8);
      await until(() => page.evaluate(() => announced.length > 1), 'the announcement');
      assert.deepEqual(await page.evaluate(() => announced), [
        'Writing a reply…',
        'Reply: A reply in five pieces.',
      ]);
    });

    it('shows what a reader sends who has scrolled up, and follows the reply', async () => {
      provider.script = LINES;
      await scroller(page).evaluate((element) => (element.scrollTop = 200));
      await button(page, 'Jump to newest').waitFor();
      await send(page, 'Sixty lines, once more');
      await prose(page, 9).locator('p').nth(20).waitFor();
      await until(async () => (await distanceToBottom(page)) < 5, 'the bottom');
      await isComplete(page, 9);
      await until(async () => (await distanceToBottom(page)) < 5, 'the end of the reply');
    });

    it('aligns the columns of tables, and counts lists from where they start', async () => {
      provider.script = ['| Part | Since |\n| --- | ---: |\n| Lens | 1823 |\n\nThen\n\n3. three\n4. four\n'];
      await send(page, 'A table, please');
      await isComplete(page, 10);
      const cell = prose(page, 10).getByRole('cell', { name: '1823' });
      assert.equal(await cell.evaluate((element) => getComputedStyle(element).textAlign), 'right');
      assert.equal(await prose(page, 10).locator('ol').getAttribute('start'), '3');
    });

    it('keeps a button in its place while it is pressed', async () => {
      provider.script = ['First line.\n\n', LINES.join('')];
      provider.paceMs = 1000;
      await send(page, 'Press me');
      await prose(page, 11).getByText('First line.').waitFor();
      // `click` would scroll.
      const { x, y, width, height } = await button(messages(page).last(), 'Copy').boundingBox();
      await page.mouse.move(x + width / 2, y + height / 2);
      await page.mouse.down();
      await prose(page, 11).locator('p').nth(40).waitFor();
      await page.mouse.up();
      await until(async () => (await clipboard(page)) === 'Press me', 'the message');
      await until(async () => (await distanceToBottom(page)) < 5, 'the bottom');
    });

    it('never is wider than the window', async () => {
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
    });
  });
}
