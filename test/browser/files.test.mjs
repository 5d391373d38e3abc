import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { check } from './axe.mjs';
import * as support from './support.mjs';

const { button, dialog, field, isComplete, messages, NARROW, send, until, WIDE } = support;
const browser = support.useBrowser();
let provider;
let photo;
before(async () => {
  provider = await support.startProvider();
  photo = await picture('teal', 640, 400);
});
after(() => provider.close());

const picture = (background, width, height) =>
  sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
const image = (name, buffer = photo) => ({ name, mimeType: 'image/png', buffer });
const textFile = (name, text) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });

async function start({ viewport = WIDE, ...options } = {}) {
  const page = await browser.open(options);
  await support.signUp(page);
  await support.addModel(page, provider);
  await page.setViewportSize(viewport);
  return page;
}

async function attach(page, ...files) {
  const choosing = page.waitForEvent('filechooser');
  await button(page, 'Attach files').click();
  await (await choosing).setFiles(files);
}

const chosen = (page) => page.locator('form').getByRole('list', { name: 'Files' });
const uploaded = (page, count) =>
  until(async () => (await chosen(page).locator('.done').count()) === count, `${count} files are uploaded`);

/** A document of one page, without a table of offsets. */
function pdf(text) {
  const content = `BT /F1 12 Tf 20 200 Td (${text}) Tj ET`;
  const font = '/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>';
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Resources << ${font} >> /Contents 4 0 R >>`,
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
  ].map((object, index) => `${index + 1} 0 obj\n${object}\nendobj\n`);
  return Buffer.from(`%PDF-1.4\n${objects.join('')}trailer << /Root 1 0 R >>\n%%EOF\n`);
}

const paper = (name) => ({ name, mimeType: 'application/pdf', buffer: pdf('Hello PDF') });

/** Calls the server with the page's session. */
const call = (page, path, method = 'GET') =>
  page.evaluate(
    async ([path, method]) => {
      const key = Object.keys(localStorage).find((each) => /^parley:.*(?<!:drafts)$/.test(each));
      const { access_token } = JSON.parse(localStorage.getItem(key));
      const response = await fetch(path, { method, headers: { Authorization: `Bearer ${access_token}` } });
      return response.status === 204 ? null : response.json();
    },
    [path, method],
  );

/** Pastes or drops files as the browser reports it. */
const transfer = (page, target, type, file) =>
  target.evaluate(
    (element, { type, name, mimeType, bytes }) => {
      const data = new DataTransfer();
      if (name) data.items.add(new File([Uint8Array.from(bytes)], name, { type: mimeType }));
      const init = { bubbles: true, cancelable: true };
      element.dispatchEvent(
        type === 'paste'
          ? new ClipboardEvent(type, { ...init, clipboardData: data })
          : new DragEvent(type, { ...init, dataTransfer: data }),
      );
    },
    { type, name: file.name, mimeType: file.mimeType, bytes: [...file.buffer] },
  );

for (const viewport of [WIDE, NARROW]) {
  describe(`files at ${viewport.width} pixels`, () => {
    it('sends images and text, shows them after a reload, enlarges images, and keeps them in an edit', async () => {
      const page = await start({ viewport });
      await attach(
        page,
        image('one.png'),
        textFile('notes.txt', 'Some notes'),
        image('two.png', await picture('brown', 300, 900)),
      );
      await uploaded(page, 3);
      await check(page, 'a composer with files');
      await send(page, 'Look');
      await isComplete(page);
      assert.deepEqual(
        provider.requests
          .at(-1)
          .at(-1)
          .content.map(({ type }) => type),
        ['image_url', 'text', 'image_url', 'text'],
      );

      await page.reload();
      const sent = messages(page).first();
      const isLoaded = (img) => img.evaluate(({ complete, naturalWidth }) => complete && naturalWidth > 0);
      await until(() => isLoaded(sent.locator('img').first()), 'the image is loaded');
      await check(page, 'a message with files');
      await sent.getByRole('button', { name: /^notes\.txt/ }).waitFor();
      await button(sent, 'Enlarge one.png').click();
      const first = dialog(page, 'one.png');
      await first.getByRole('img', { name: 'one.png' }).waitFor();
      await check(page, 'an enlarged image');
      await page.keyboard.press('ArrowRight');
      await dialog(page, 'two.png').getByRole('img', { name: 'two.png' }).waitFor();
      await button(dialog(page, 'two.png'), 'Previous image').click();
      await first.waitFor();
      await page.keyboard.press('Escape');
      await first.waitFor({ state: 'hidden' });

      await button(sent, 'Edit').click();
      await sent.getByRole('textbox').fill('Look again');
      await sent.getByRole('button', { name: 'Send' }).click();
      await sent.getByText('Look again').waitFor();
      await isComplete(page);
      await button(sent, 'Enlarge two.png').waitFor();
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, 'the page is wider than the window');
    });
  });
}

describe('files', () => {
  it('attaches what is dropped and pasted, and removes it', async () => {
    const page = await start();
    const body = page.locator('body');
    await transfer(page, body, 'dragover', image('dropped.png'));
    await page.getByText('Drop files to attach them').waitFor();
    await transfer(page, body, 'drop', image('dropped.png'));
    await page.getByText('Drop files to attach them').waitFor({ state: 'hidden' });
    await transfer(page, field(page), 'paste', image('pasted.png'));
    await uploaded(page, 2);

    await button(page, 'Remove dropped.png').click();
    await button(page, 'Send').click();

    await button(messages(page).first(), 'Enlarge pasted.png').waitFor();
    assert.equal(await messages(page).first().locator('img').count(), 1);
  });

  it('shows why a file is refused, and sends after it is removed', async () => {
    const page = await start();
    await attach(
      page,
      { name: 'a.zip', mimeType: 'application/zip', buffer: Buffer.from([0x50, 0x4b, 3, 4, 20, 0, 0, 0]) },
      textFile('b.txt', 'b'),
    );
    await chosen(page).getByRole('alert').waitFor();
    await field(page).fill('Hi');
    assert.ok(await button(page, 'Send').isDisabled());

    await button(page, 'Remove a.zip').click();
    await field(page).press('Enter');

    await messages(page)
      .first()
      .getByRole('button', { name: /^b\.txt/ })
      .waitFor();
  });

  it('shows progress, and goes on after the line was cut', async () => {
    const line = await support.startLine();
    const page = await start({ url: line.url });
    const noise = sharp({
      create: {
        width: 1500,
        height: 1000,
        channels: 3,
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
        background: 'grey',
      },
    });
    await send(page, 'First');
    await isComplete(page);
    line.cut();
    await attach(page, image('noise.png', await noise.png().toBuffer()));
    await page.getByRole('progressbar', { name: 'Uploading noise.png' }).waitFor();
    await send(page, 'Wait');
    await messages(page).last().getByText('noise.png').waitFor();
    line.mend();

    await button(messages(page).last(), 'Enlarge noise.png').waitFor();
    line.close();
  });

  it('refuses an eleventh file, and offers the camera on phones alone', async () => {
    const page = await start();
    await attach(page, ...Array.from({ length: 11 }, (_, n) => textFile(`${n}.txt`, `${n}`)));
    await page.getByText('A message takes at most 10 files.').waitFor();
    await uploaded(page, 10);
    assert.ok(await button(page, 'Take a photo').isHidden());

    const phone = await browser.open({ viewport: NARROW, isMobile: true, hasTouch: true });
    await support.signUp(phone);
    const choosing = phone.waitForEvent('filechooser');
    await button(phone, 'Take a photo').click();
    const camera = (await choosing).element();
    assert.equal(await camera.getAttribute('capture'), 'environment');
  });

  it('shows PDFs as chips that download them', async () => {
    const page = await start();
    await attach(page, paper('paper.pdf'));
    await uploaded(page, 1);
    await send(page, 'Read');
    await isComplete(page);
    assert.match(JSON.stringify(provider.requests.at(-1)), /Hello PDF/);

    const chip = messages(page)
      .first()
      .getByRole('button', { name: /^paper\.pdf PDF · \d+ B$/ });
    const downloading = page.waitForEvent('download');
    await chip.click();
    const download = await downloading;
    assert.equal(download.suggestedFilename(), 'paper.pdf');
    assert.deepEqual(await readFile(await download.path()), pdf('Hello PDF'));
  });

  it('names deleted files, which can be neither opened nor downloaded', async () => {
    const page = await start();
    await attach(page, image('gone.png'), paper('gone.pdf'), image('kept.png'));
    await uploaded(page, 3);
    await send(page, 'Look');
    await isComplete(page);
    const { files } = await call(page, '/files');
    for (const { id, name } of files)
      if (name.startsWith('gone')) await call(page, `/files/${id}/delete`, 'POST');

    await page.reload();
    const sent = messages(page).first();
    await button(sent, 'Enlarge kept.png').waitFor();
    for (const name of ['gone.png', 'gone.pdf']) {
      await sent.getByRole('listitem').filter({ hasText: name }).getByText('Deleted').waitFor();
      assert.equal(await sent.getByRole('button', { name: new RegExp(name) }).count(), 0);
    }
    await check(page, 'a message with deleted files');

    await button(sent, 'Edit').click();
    await sent.getByRole('textbox').fill('');
    await sent.getByRole('button', { name: 'Send' }).click();
    await button(messages(page).first(), 'Previous version').waitFor();
    assert.equal(await messages(page).first().locator('img').count(), 1);
    assert.equal(await messages(page).first().getByText('Look').count(), 0);
  });

  it('frees the space of a file that is removed before it is sent', async () => {
    const page = await start();
    await attach(page, textFile('removed.txt', 'removed'), textFile('kept.txt', 'kept'));
    await uploaded(page, 2);
    await button(page, 'Remove removed.txt').click();

    await until(async () => (await call(page, '/files')).total === 1, 'the file is deleted');
    await send(page, 'Hi');
    await messages(page)
      .first()
      .getByRole('button', { name: /^kept\.txt/ })
      .waitFor();
  });

  it('renews links that have expired', async () => {
    const page = await start();
    await attach(page, image('one.png'), image('two.png', await picture('brown', 300, 300)));
    await uploaded(page, 2);
    await send(page, 'Look');
    await isComplete(page);
    // The page holds links like those of an hour ago.
    const refused = [];
    page.on('response', (response) => response.status() === 401 && refused.push(response.url()));
    await page.routeWebSocket(/socket\.io/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((frame) =>
        socket.send(typeof frame === 'string' ? frame.replaceAll(/token=\w+\./g, 'token=0.') : frame),
      );
    });
    await page.reload();

    const sent = messages(page).first();
    const isLoaded = (img) => img.evaluate(({ complete, naturalWidth }) => complete && naturalWidth > 0);
    for (const name of ['one.png', 'two.png'])
      await until(() => isLoaded(button(sent, `Enlarge ${name}`).locator('img')), `${name} is loaded`);
    assert.equal(refused.length, 2);
    await button(sent, 'Enlarge one.png').click();
    await until(() => isLoaded(dialog(page, 'one.png').locator('img')), 'the image is enlarged');
    const downloading = page.waitForEvent('download');
    await button(dialog(page, 'one.png'), 'Download').click();
    assert.deepEqual(await readFile(await (await downloading).path()), photo);
  });
});
