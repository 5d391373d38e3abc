/**
 * Uses the tutorial's app at PAGE_URL as a person would, in a real browser. SCREENSHOTS names a folder for pictures.
 */
import { chromium } from 'playwright-core';

const shots = process.env.SCREENSHOTS;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
const page = await browser.newPage({ viewport: { width: 1200, height: 800 } });
page.setDefaultTimeout(20_000);
const errors = [];
page.on('pageerror', (error) => errors.push(error));
const shoot = (name) => shots && page.screenshot({ path: `${shots}/${name}.png` });
const button = (name) => page.getByRole('button', { name, exact: true });
const reply = () => page.locator('article.assistant').last();
const length = async () => (await reply().innerText()).length;
const grows = async (than) => {
  while ((await length()) <= than) await page.waitForTimeout(20);
};
const send = async (text) => {
  await page.getByLabel('Message').fill(text);
  await page.keyboard.press('Enter');
};

await page.goto(process.env.PAGE_URL);
await page.getByLabel('Name').fill('ada');
await page.getByLabel('Email').fill('ada@example.com');
await page.getByLabel('Password').fill('short');
await button('Sign up').click();
await page.getByRole('alert').waitFor();
await shoot('sign-up');
await page.getByLabel('Password').fill('a-good-password-1');
await button('Sign up').click();

await button('New conversation').click();
await send('Tell me about tides');
await reply().waitFor();
await grows(40);
await shoot('streaming');
const before = await length();

await page.reload();
await reply().waitFor();
if ((await length()) < before) throw new Error('The reload lost text.');
if ((await reply().getAttribute('data-status')) !== 'streaming')
  throw new Error('The reply had ended already.');
await grows(before + 40);

await button('Stop').click();
await page.locator('[data-status=stopped]').waitFor();
await button('Regenerate').click();
await page.locator('.assistant[data-status=complete]').waitFor();
await page.getByRole('navigation').getByRole('button', { name: /tides/ }).waitFor();
await shoot('complete');
await page.setViewportSize({ width: 390, height: 800 });
await shoot('narrow');
await browser.close();
if (errors.length > 0) throw new AggregateError(errors, 'The page reported errors.');
console.log('The tutorial works');
