import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { generateSync } from 'otplib';
import {
  button,
  dialog,
  field,
  NARROW,
  openSettings,
  PASSWORD,
  signUp,
  until,
  useBrowser,
  WIDE,
} from './support.mjs';

const browser = useBrowser();
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

const codeOf = (secret, offset = 0) =>
  generateSync({ secret, epoch: Math.floor(Date.now() / 1000) + offset * 30 });

async function expectAccessible(page, where) {
  await page.evaluate(await readFile(AXE, 'utf8'));
  const violations = await page.evaluate(async () => (await globalThis.axe.run()).violations);
  assert.deepEqual(
    violations.map(({ id, nodes }) => [where, id, nodes.map(({ html }) => html)]),
    [],
  );
}

/** Files for a person to look at, where SCREENSHOTS names a folder. */
async function shoot(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}-${page.viewportSize().width}.png` });
}

/** Signs out and types the password again. @returns the page, which asks for a code */
async function signInUntilCode(page, { email }) {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByLabel('Password').press('Enter');
  await page.getByLabel('Code of the app').waitFor();
}

describe('the second factor', () => {
  for (const viewport of [WIDE, NARROW])
    it(`is set up, asked for at sign-in, and removed, ${viewport.width} px wide`, async () => {
      const page = await browser.open({ viewport });
      const account = await signUp(page);
      if (viewport === NARROW) await button(page, 'Open sidebar').click();
      let settings = await openSettings(page, 'Account');
      const section = () => settings.locator('section').filter({ hasText: 'Two-factor authentication' });
      await section().getByLabel('Current password').fill(PASSWORD);
      await button(section(), 'Set up two-factor authentication').press('Enter');
      await section().getByRole('img', { name: 'QR code for authenticator apps' }).waitFor();
      const secret = await section().locator('code').innerText();
      assert.match(secret, /^[A-Z2-7]{32}$/);
      await until(
        () => page.evaluate(() => document.activeElement.name === 'code'),
        'the code has the focus',
      );
      await expectAccessible(page, 'set-up');
      await section().scrollIntoViewIfNeeded();
      await shoot(page, 'second-factor-setup');

      await page.keyboard.type('000000');
      await page.keyboard.press('Enter');
      await section().getByRole('alert').filter({ hasText: 'The code is wrong' }).waitFor();
      await section().getByLabel('Code of the app').fill(codeOf(secret, -1));
      await page.keyboard.press('Enter');
      const codes = settings.getByRole('list', { name: 'Recovery codes' });
      await codes.waitFor();
      const shown = await codes.locator('code').allInnerTexts();
      assert.equal(shown.length, 10);
      await expectAccessible(page, 'recovery codes');
      await shoot(page, 'second-factor-codes');
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        button(settings, 'Download').click(),
      ]);
      assert.deepEqual((await readFile(await download.path(), 'utf8')).trim().split('\n'), shown);
      await button(settings, 'I have kept them').click();
      await section().getByText('It is on').waitFor();

      await button(settings, 'Sign out').click();
      await signInUntilCode(page, account);
      await until(
        () => page.evaluate(() => document.activeElement.name === 'code'),
        'the code has the focus',
      );
      await expectAccessible(page, 'sign-in');
      await shoot(page, 'second-factor-sign-in');
      await page.keyboard.type('000000');
      await page.keyboard.press('Enter');
      await page.getByRole('alert').filter({ hasText: 'The code is wrong' }).waitFor();
      await page.getByLabel('Code of the app').fill(codeOf(secret));
      await page.keyboard.press('Enter');
      await field(page).waitFor();

      if (viewport === NARROW) await button(page, 'Open sidebar').click();
      settings = await openSettings(page, 'Account');
      await section().getByLabel('Current password').fill(PASSWORD);
      await section().getByLabel('Code of the app').fill(shown[0].toUpperCase());
      await shoot(page, 'second-factor-on');
      await button(section(), 'Turn off two-factor authentication').click();
      await button(section(), 'Set up two-factor authentication').waitFor();
      await button(settings, 'Sign out').click();
      await dialog(page, 'Settings').waitFor({ state: 'detached' });
    });

  it('is set up in Chinese', async () => {
    const page = await browser.open({ locale: 'zh-CN', viewport: NARROW });
    const name = `li${Date.now().toString(36)}`;
    await page.getByLabel('用户名').fill(name);
    await page.getByLabel('邮箱').fill(`${name}@example.org`);
    await page.getByLabel('密码').fill(PASSWORD);
    await page.getByLabel('密码').press('Enter');
    await page.getByRole('textbox').first().waitFor();
    await page.getByRole('button', { name: '打开侧边栏' }).click();
    await page.getByRole('button', { name: /^设置/ }).click();
    await button(page, '账号').click();
    const section = page.locator('section').filter({ hasText: '两步验证' });
    await section.getByLabel('当前密码').fill(PASSWORD);
    await button(section, '设置两步验证').click();
    await section.getByRole('img', { name: '供身份验证器应用扫描的二维码' }).waitFor();
    await shoot(page, 'second-factor-chinese');
    await section.getByLabel('应用中的验证码').fill(codeOf(await section.locator('code').innerText()));
    await page.keyboard.press('Enter');
    await page.getByRole('list', { name: '恢复码' }).waitFor();
  });
});
