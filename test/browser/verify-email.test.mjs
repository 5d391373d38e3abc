/** The page that the mail after a registration links to. Reads mails from the server's outbox. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import PostalMime from 'postal-mime';
import { base, button, NARROW, signUp, until, useBrowser } from './support.mjs';

const OUTBOX = process.env.OUTBOX ?? 'data/outbox';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const browser = useBrowser();

/** The link of the mail after a registration, on the server under test. */
async function mailedLink(email) {
  let text;
  await until(async () => (text = await textTo(email)), 'the mail is written');
  const { hash } = new URL(/https?:\S+verify-email#token=\S+/.exec(text)[0]);
  return new URL(`verify-email${hash}`, base).href;
}

async function textTo(email) {
  const files = await readdir(OUTBOX).catch(() => []);
  const mails = await Promise.all(
    files.map(async (file) => PostalMime.parse(await readFile(join(OUTBOX, file)))),
  );
  return mails.find(({ to }) => to[0].address === email)?.text;
}

describe('the page of a link that verifies an address', () => {
  it('verifies it once, by keyboard, and removes the token from the address', async () => {
    const { email } = await signUp(await browser.open());
    const link = await mailedLink(email);
    const page = await browser.open({ url: link, viewport: NARROW });

    await button(page, 'Confirm the address').focus();
    await page.keyboard.press('Enter');
    await page.getByText('The address is confirmed.').waitFor();
    assert.equal(new URL(page.url()).hash, '');

    const again = await browser.open({ url: link });
    await button(again, 'Confirm the address').click();
    await again.getByRole('alert').filter({ hasText: 'used before' }).waitFor();
  });

  it('says so when the link is incomplete', async () => {
    const page = await browser.open({ url: new URL('verify-email', base).href });

    await page.getByRole('alert').filter({ hasText: 'incomplete' }).waitFor();
    assert.equal(await button(page, 'Confirm the address').isVisible(), false);
  });

  for (const colorScheme of ['light', 'dark'])
    it(`is accessible in ${colorScheme}, and in Chinese`, async () => {
      const url = new URL('verify-email#token=x', base).href;
      const page = await browser.open({ url, colorScheme, locale: 'zh-CN' });

      await page.getByRole('heading', { name: '确认您的邮箱地址' }).waitFor();
      await page.evaluate(axe);
      const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
      assert.ok(passes.length > 5);
      assert.deepEqual(violations, []);
    });
});
