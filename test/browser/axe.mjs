import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const animationsEnd = (page) =>
  page.evaluate(async () => {
    const isEndless = ({ effect }) => effect.getTiming().iterations === Infinity;
    await Promise.all(document.getAnimations().map((each) => isEndless(each) || each.finished));
  });

/** Fails on anything that axe rates serious or critical, in both colour schemes. */
export async function check(page, screen) {
  await page.emulateMedia({ colorScheme: 'light' });
  await animationsEnd(page);
  // axe ignores the top layer, and takes what is behind a dialog for what covers it.
  await page.evaluate(() => document.querySelectorAll('dialog').forEach(({ style }) => (style.zIndex = 10)));
  // A script element would violate the page's policy.
  await page.evaluate(axe);
  await assertNothingSerious(page, screen, {});
  await page.emulateMedia({ colorScheme: 'dark' });
  await assertNothingSerious(page, `${screen}, dark`, { runOnly: ['color-contrast'] });
}

async function assertNothingSerious(page, screen, options) {
  const { violations, passes } = await page.evaluate((options) => globalThis.axe.run(options), options);
  const serious = violations
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, nodes }) => `${screen}: ${id}: ${nodes.map(({ html }) => html.slice(0, 150)).join(' | ')}`);
  assert.deepEqual(serious, []);
  assert.ok(passes.length > 0, `axe checked nothing of ${screen}`);
}
