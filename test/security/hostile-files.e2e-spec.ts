import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { PDF_LIMITS } from '../../src/files/content/pdf-text.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import type { Thing } from '../support/clients/http.js';
import { deflateSpaces, makePdf } from '../support/files.js';
import { pause } from '../support/provider/provider.js';

/** Longest pause of a reply that is streamed meanwhile. */
const MAX_PAUSE_MS = 250;

let t: TestApp;
let ada: TestUser;
beforeAll(async () => void (t = await startTestApp()));
beforeEach(async () => void (ada = await t.user().withConfig(t.provider).create()));
afterAll(() => t.stop());

async function upload(bytes: Buffer, name: string) {
  const form = new FormData();
  form.append('file', new Blob([Uint8Array.from(bytes)]), name);
  const headers = { Authorization: `Bearer ${ada.tokens.access_token}` };
  const response = await fetch(`${t.url}/files`, { method: 'POST', headers, body: form });
  return { status: response.status, body: (await response.json()) as Thing };
}

/** A chunk of a PNG. */
function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, checksum]);
}

/** A PNG in grey of any declared size. */
function png(width: number, height: number, ...chunks: Buffer[]): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([signature, chunk('IHDR', header), ...chunks, chunk('IEND', Buffer.alloc(0))]);
}

/** 100 MB of zeros, as the only member of an archive. */
function zipBomb(): Buffer {
  const data = deflateSync(Buffer.alloc(100e6));
  const header = Buffer.from('PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0', 'latin1');
  return Buffer.concat([header, data]);
}

/** Declares the frames of an animated PNG. */
function animation(frames: number): Buffer {
  const data = Buffer.alloc(8);
  data.writeUInt32BE(frames);
  return chunk('acTL', data);
}

const zeros = (bytes: number) => deflateSync(Buffer.alloc(bytes));

const BOMBS: [what: string, make: () => Buffer | Promise<Buffer>, status: number, code: string][] = [
  ['a ZIP archive of 100 MB', zipBomb, 415, 'unsupported_file'],
  [
    'an image declared as 60,000 × 60,000',
    () => png(60_000, 60_000, chunk('IDAT', zeros(1000))),
    422,
    'unreadable_file',
  ],
  [
    'an image of 51 megapixels',
    () => png(8_500, 6_000, chunk('IDAT', zeros(6_000 * 8_501))),
    422,
    'unreadable_file',
  ],
  [
    'an animation of 51 megapixels',
    () => png(1_000, 1_000, animation(51), chunk('IDAT', zeros(1_001_000))),
    422,
    'unreadable_file',
  ],
  [
    'a PDF with a page of 300 MB',
    async () => makePdf({ content: await deflateSpaces(300) }),
    422,
    'unreadable_file',
  ],
];

describe('a bomb', () => {
  it.each(BOMBS)('is refused, and nothing of it is kept: %s', async (_what, make, status, code) => {
    const bomb = await make();
    const before = process.memoryUsage.rss();

    expect(await upload(bomb, 'holiday.jpg')).toMatchObject({ status, body: { code } });

    expect(process.memoryUsage.rss() - before).toBeLessThan(150e6);
    expect(readdirSync(join(t.settings.dataDir, 'uploads'))).toEqual([]);
    expect((await ada.get('/files')).body).toMatchObject({ total: 0, bytes_used: 0 });
  });

  it('in the text of an image is removed without being unpacked', async () => {
    const text = Buffer.concat([Buffer.from('Comment\0\0', 'latin1'), zeros(200e6)]);
    const image = png(2, 2, chunk('zTXt', text), chunk('IDAT', zeros(6)));
    const before = process.memoryUsage.rss();
    const { status, body } = await upload(image, 'comment.png');

    expect([status, body]).toMatchObject([201, { width: 2, height: 2 }]);
    expect(body.bytes).toBeLessThan(1000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
  });
});

describe('a PDF that takes long', () => {
  const { ...limits } = PDF_LIMITS;
  afterEach(() => void Object.assign(PDF_LIMITS, limits));

  it('is given up after 10 s, while replies are streamed without a pause', async () => {
    expect(limits.timeoutMs).toBe(10_000);
    PDF_LIMITS.timeoutMs = 1_500;
    const slow = makePdf({
      pages: Array<string>(2_000).fill(''),
      content: deflateSync('0 0 Td '.repeat(20_000)),
    });
    const pauses: number[] = [];
    // Other processes interfere with single pauses.
    while (pauses.length < 3 && pauses.every((longest) => longest >= MAX_PAUSE_MS)) {
      const startedAt = performance.now();
      const [longest, refused] = await Promise.all([longestPause(1_500), upload(slow, 'slow.pdf')]);
      pauses.push(longest);

      expect(refused).toMatchObject({ status: 422, body: { code: 'unreadable_file' } });
      expect(performance.now() - startedAt).toBeGreaterThan(1_500);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    }
    expect(Math.min(...pauses)).toBeLessThan(MAX_PAUSE_MS);
  }, 20_000);

  /** Streams a reply of one word every 10 ms. @returns the longest time between two deltas, in milliseconds */
  async function longestPause(durationMs: number): Promise<number> {
    const { id } = await ada.createConversation({ title: 'Streamed' });
    const pieces = Array.from({ length: durationMs / 10 }, () => ['word ', pause(10)]).flat();
    t.provider.willStream(...pieces);
    const stream = await ada.sse(`/conversations/${id}/chat`, { content: 'Go on' });
    const times: number[] = [];
    stream.listen(({ type }) => type === 'message.delta' && times.push(performance.now()));
    await stream.until(({ type }) => type === 'message.completed');
    return Math.max(...times.slice(1).map((time, index) => time - times[index]!));
  }
});
