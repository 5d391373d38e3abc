import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import sharp from 'sharp';
import { button, NARROW, PASSWORD, useBrowser } from './support.mjs';

const browser = useBrowser();
/** English words that the page itself shows in Chinese. */
const NAMES =
  /Parley|parley-demo|PDF|Ctrl K|Enter|Shift|token|URL|API|OpenAI|JSON|SQLite|MySQL|TypeScript|Chrome|Linux/g;

/** The page's texts and labels with English words in them. */
const englishIn = (page, names) =>
  page.evaluate(
    ([pattern, own]) => {
      const elements = [...document.querySelectorAll('body *')].filter(
        (element) => element.checkVisibility() && !element.closest('.prose, .sr-only'),
      );
      const texts = elements.flatMap((element) => [
        ...[...element.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data),
        ...['aria-label', 'title', 'placeholder'].map((name) => element.getAttribute(name) ?? ''),
      ]);
      const isEnglish = (text) =>
        /[a-z]{3}/i.test(text.replaceAll(own, '').replace(new RegExp(pattern, 'g'), ''));
      return texts.filter(isEnglish);
    },
    [NAMES.source, names],
  );

/** Attaches, sends and enlarges files, a refused one too. */
async function files(page, name) {
  const attach = async (...chosen) => {
    const choosing = page.waitForEvent('filechooser');
    await button(page, '添加文件').click();
    await (
      await choosing
    ).setFiles(chosen.map(([name, bytes]) => ({ name, mimeType: '', buffer: Buffer.from(bytes) })));
  };
  const create = { width: 30, height: 20, channels: 3, background: 'teal' };
  await attach(['图', await sharp({ create }).png().toBuffer()], ['笔记', '一些笔记']);
  await page.locator('form .done').nth(1).waitFor();
  await attach(['压缩', 'PK\x03\x04\x14\0\0\0\x08\0']);
  await page.getByRole('alert').getByText('不支持的文件类型。').waitFor();
  assert.deepEqual(await englishIn(page, name), []);
  await button(page, '移除 压缩').click();
  await button(page, '发送').click();
  await button(page, '放大 图').click();
  await page.getByRole('dialog', { name: '图' }).waitFor();
  assert.deepEqual(await englishIn(page, name), []);
  await page.keyboard.press('Escape');
  await button(page, '重新生成').nth(1).waitFor();
}

describe('in a browser in Chinese', () => {
  it('every screen is in Chinese', async () => {
    const page = await browser.open({ locale: 'zh-CN', viewport: NARROW });
    const name = `ada${Date.now().toString(36)}zh`;
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN');
    await button(page, '注册').click();
    await page.getByText('请填写此项。').first().waitFor();
    assert.deepEqual(await englishIn(page, name), []);
    for (const label of ['用户名', '邮箱', '密码']) await page.getByLabel(label).fill('a');
    await button(page, '注册').click();
    await page.getByText('8–128 个字符', { exact: false }).waitFor();
    assert.deepEqual(await englishIn(page, name), []);
    await page.getByLabel('用户名').fill(name);
    await page.getByLabel('邮箱').fill(`${name}@example.org`);
    await page.getByLabel('密码').fill(PASSWORD);
    await button(page, '注册').click();
    await page.getByRole('heading', { name: `${name}，想聊点什么？` }).waitFor();
    assert.deepEqual(await englishIn(page, name), []);

    await page.getByRole('button', { name: /^讲解知识/ }).click();
    await button(page, '重新生成').waitFor();
    await page.locator('.prose').getByText('Parley 内置的演示模型').waitFor();
    await files(page, name);
    await button(page, '打开侧边栏').click();
    await page.getByRole('button', { name: /^设置/ }).click();
    for (const tab of ['模型', '账号', '会话']) {
      await button(page.getByRole('dialog'), tab).click();
      if (tab === '会话') await page.getByText('本设备').waitFor();
      const email = new RegExp(`${name}(@example\\.org)?`);
      const english = await englishIn(page.getByRole('dialog').page(), name);
      assert.deepEqual(
        english.filter((text) => !/example\.org|demo/.test(text.replace(email, ''))),
        [],
      );
    }
  });

  it('a wrong password is refused in Chinese', async () => {
    const page = await browser.open({ locale: 'zh-TW' });
    await button(page, '登录').click();
    await page.getByLabel('邮箱').fill('nobody@example.org');
    await page.getByLabel('密码').fill('not the password');
    await button(page, '登录').first().click();
    await page.getByText('邮箱或密码不正确', { exact: false }).waitFor();
  });
});
