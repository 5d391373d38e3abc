import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as support from './support.mjs';

const { button, dialog, isComplete, messages, NARROW, replies, send } = support;
const browser = support.useBrowser();
let provider;
before(async () => (provider = await support.startProvider()));
after(() => provider.close());

const MARKUP =
  '<img src=x onerror="globalThis.broken=1"><script>globalThis.broken=2</script><svg onload=alert(1)>';
const LINKS = [
  '[script](javascript:globalThis.broken=3)',
  '[data](data:text/html,<script>globalThis.broken=4</script>)',
  '[vb](vbscript:x)',
  '<a href="javascript:globalThis.broken=5" style="position:fixed">raw</a>',
  '[entities](java&#115;cript:globalThis.broken=6)',
  '[web](https://example.org/page)',
].join('\n\n');
const IMAGE = '![a picture](https://tracker.example/pixel.png)';
const TABLE = ['|', '|', '|']
  .map((bar, row) => bar + (row === 1 ? '---|' : `${'wide'.repeat(40)}|`).repeat(30))
  .join('\n');
const WORD = 'x'.repeat(5_000);

/** What must not be in the page, whatever is said in it. */
const ALIVE =
  'article :is(img, script, iframe, object, style, form, [onerror], [onload], [style], a[href^="java" i], a[href^="data" i])';

describe('hostile text', () => {
  let page;
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

  async function assertHarmless() {
    assert.equal(await page.locator(ALIVE).count(), 0);
    assert.equal(await page.evaluate(() => globalThis.broken), undefined);
    assert.equal(await overflow(), 0);
  }

  before(async () => {
    page = await browser.open({ viewport: NARROW });
    page.on('dialog', () => assert.fail('a script opened a dialog'));
    await support.signUp(page);
    await button(page, 'Open sidebar').click();
    await support.addModel(page, provider);
    await page.keyboard.press('Escape');
  });

  it('in a reply is shown as text', async () => {
    const block = '<div onerror="globalThis.broken=7">A block</div>';
    const rest = `\n\n${block}\n\nInline ${MARKUP}\n\n\`\`\`html\n${MARKUP}\n\`\`\``;
    provider.script = [MARKUP.slice(0, 15), MARKUP.slice(15), rest];
    await send(page, 'Markup, please');
    await isComplete(page);
    await assertHarmless();
    const text = await replies(page).first().locator('.prose').innerText();
    assert.equal(text.split('onerror').length - 1, 4);
  });

  it('in a message is shown as text', async () => {
    provider.script = ['Fine.'];
    await send(page, `${MARKUP} ${LINKS}`);
    await isComplete(page, 1);
    await assertHarmless();
    assert.equal(await messages(page).nth(1).locator('.bubble').innerText(), `${MARKUP} ${LINKS}`);
    assert.equal(await messages(page).locator('a').count(), 0);
  });

  it('in links leads nowhere but to the web, and tells no site where from', async () => {
    provider.script = [LINKS];
    await send(page, 'Links, please');
    await isComplete(page, 2);
    await assertHarmless();
    const links = replies(page).nth(2).locator('a[href]');
    assert.equal(await links.count(), 1);
    assert.equal(await links.getAttribute('href'), 'https://example.org/page');
    assert.match(await links.getAttribute('rel'), /noopener noreferrer/);
    assert.equal(await links.getAttribute('target'), '_blank');
  });

  it('in images is not loaded', async () => {
    provider.script = [IMAGE];
    await send(page, 'A picture, please');
    await isComplete(page, 3);
    await assertHarmless();
    await replies(page).nth(3).getByRole('link', { name: 'a picture' }).waitFor();
  });

  it('of any width stays in its column', async () => {
    provider.script = [`${TABLE}\n\n${WORD}\n\n\`\`\`\n${WORD}\n\`\`\`\n\n${'> '.repeat(50)}deep`];
    await send(page, WORD);
    await isComplete(page, 4);
    await assertHarmless();
  });

  it('in names and titles is shown as text', async () => {
    await button(page, 'Open sidebar').click();
    await page
      .getByRole('navigation')
      .getByRole('button', { name: /^More for/ })
      .click();
    await page.getByRole('menuitem', { name: 'Rename' }).click();
    await page.getByRole('textbox', { name: 'Title' }).fill(`${MARKUP.slice(0, 100)}${'y'.repeat(100)}`);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: '<img src=x' }).waitFor();

    const settings = await support.openSettings(page);
    await button(settings, 'Edit played').click();
    await settings.getByText('More settings').click();
    await settings.getByLabel('Display name').fill(MARKUP.slice(0, 90));
    await button(settings, 'Save and test').click();
    await settings.getByText(/^Works/).waitFor();
    await button(settings.locator('footer'), 'Close').click();
    await settings.getByText('<img src=x').waitFor();
    assert.equal(await settings.locator('img').count(), 0);
    await page.keyboard.press('Escape');
    await dialog(page, 'Settings').waitFor({ state: 'detached' });
    await assertHarmless();
  });

  it('in what a search finds is shown as text', async () => {
    await page.getByRole('searchbox').fill('onerror');
    await page.locator('.results mark').first().waitFor();
    assert.equal(await page.locator('.results img').count(), 0);
    await assertHarmless();
  });
});
