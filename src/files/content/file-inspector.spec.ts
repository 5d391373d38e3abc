import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { execPath } from 'node:process';
import { crc32 } from 'node:zlib';
import sharp, { type WebpOptions } from 'sharp';
import { deflateSpaces, ENCRYPTED, makePdf } from '../../../test/support/files.js';
import type { WorkQueue } from '../../common/async/work-queue.js';
import { FileInspector } from './file-inspector.js';
import { IMAGE_LIMITS } from './image.js';
import { PDF_LIMITS } from './pdf-text.js';

const inspector = new FileInspector();
let folder: string;
let files = 0;

beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'parley-inspect-'))));
afterAll(() => rm(folder, { recursive: true }));

/** Inspects bytes. @returns the result and the bytes that are served */
async function inspect(bytes: Uint8Array | string, name = 'file') {
  const path = join(folder, String(++files));
  await writeFile(path, bytes);
  const inspected = await inspector.inspect(path, name);
  return { ...inspected, served: await readFile(path) };
}

async function codeOf(bytes: Uint8Array | string, name?: string): Promise<string> {
  return inspect(bytes, name).then(
    ({ mimeType }) => `taken as ${mimeType}`,
    (error: { code?: string }) => error.code ?? String(error),
  );
}

const PDF_BROKEN = 'The PDF is broken or too complex to read.';

type Format = 'png' | 'jpeg' | 'webp' | 'gif';
const FORMATS: Format[] = ['png', 'jpeg', 'webp', 'gif'];

const blank = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#a02040' } });
const noise = (width: number, height: number) =>
  sharp({
    create: {
      width,
      height,
      channels: 3,
      noise: { type: 'gaussian', mean: 128, sigma: 40 },
      background: '#000',
    },
  });
const make = (format: Format) => noise(60, 40).toFormat(format).toBuffer();
const GPS = { IFD0: { Make: 'Camera' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 31/1 0/1' } };

/** Frames of different colours. */
function animate(format: 'gif' | 'webp', width = 20, height = 10, frames = 3): Promise<Buffer> {
  const raw = Buffer.alloc(width * height * 3 * frames, 0);
  for (let frame = 0; frame < frames; frame++)
    raw.fill(60 + 50 * frame, frame * width * height * 3, (frame + 1) * width * height * 3);
  const shape = { width, height: height * frames, channels: 3, pageHeight: height } as const;
  return sharp(raw, { raw: shape })
    .toFormat(format, { effort: 1, delay: Array.from({ length: frames }, () => 100) })
    .toBuffer();
}

/** Between the channels of two images. */
async function largestDifference(one: Buffer, other: Buffer): Promise<number> {
  const [before, after] = [await sharp(one).raw().toBuffer(), await sharp(other).raw().toBuffer()];
  return before.reduce((most, value, n) => Math.max(most, Math.abs(value - after[n]!)), 0);
}

/** Inserts a chunk after the header of a PNG. */
function withChunk(image: Buffer, type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(data.length);
  numbers.writeUInt32BE(crc32(named), 4);
  const [length, checksum] = [numbers.subarray(0, 4), numbers.subarray(4)];
  return Buffer.concat([image.subarray(0, 33), length, named, checksum, image.subarray(33)]);
}

describe('FileInspector, of images', () => {
  it.each(FORMATS)('keeps a %s without metadata byte for byte', async (format) => {
    const image = await make(format);
    const { served, ...inspected } = await inspect(image, 'photo.txt');

    expect(served.equals(image)).toBe(true);
    expect(inspected).toEqual({
      mimeType: `image/${format}`,
      width: 60,
      height: 40,
      text: null,
      bytes: image.length,
      sha256: createHash('sha256').update(image).digest('hex'),
    });
  });

  it.each([
    ['lossless WebP', () => noise(60, 40).webp({ lossless: true, effort: 0 })],
    ['WebP with an alpha channel', () => noise(60, 40).ensureAlpha(0.5).webp()],
    ['WebP with a colour profile', () => noise(60, 40).withIccProfile('p3').webp()],
    ['PNG with a colour profile', () => noise(60, 40).withIccProfile('p3').png()],
  ])('keeps a %s byte for byte', async (_what, build) => {
    const image = await build().toBuffer();

    expect((await inspect(image)).served.equals(image)).toBe(true);
  });

  it.each(['eXIf', 'iTXt', 'tEXt', 'tIME', 'zTXt'])('removes %s of a PNG, animated or not', async (type) => {
    const image = await make('png');
    const secret = withChunk(image, type, Buffer.from('secret'));
    const animation = Buffer.from('\0\0\0\x01\0\0\0\0', 'latin1');
    const animated = withChunk(secret, 'acTL', animation);
    expect(animated.includes('secret')).toBe(true);

    expect((await inspect(secret)).served.includes('secret')).toBe(false);
    expect((await inspect(animated)).served.equals(withChunk(image, 'acTL', animation))).toBe(true);
  });

  it.each<Format>(['png', 'jpeg', 'webp'])(
    'removes EXIF and XMP of a %s, and turns it upright',
    async (format) => {
      const image = await sharp({ create: { width: 60, height: 40, channels: 3, background: 'white' } })
        .composite([
          { input: { create: { width: 60, height: 8, channels: 3, background: 'black' } }, top: 0, left: 0 },
        ])
        .toFormat(format)
        .withExif(GPS)
        .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
        .withMetadata({ orientation: 6, exif: GPS })
        .toBuffer();
      expect((await sharp(image).metadata()).orientation).toBe(6);

      const { served, width, height, bytes, sha256 } = await inspect(image);

      const metadata = await sharp(served).metadata();
      expect([metadata.exif, metadata.xmp, metadata.orientation]).toEqual([undefined, undefined, undefined]);
      expect([width, height, metadata.width, metadata.height]).toEqual([40, 60, 40, 60]);
      expect(bytes).toBe(served.length);
      expect(sha256).toBe(createHash('sha256').update(served).digest('hex'));
      // Orientation 6 turns the black bar from the top to the right.
      const { data, info } = await sharp(served).greyscale().raw().toBuffer({ resolveWithObject: true });
      const grey = (x: number, y: number) => data[(y * info.width + x) * info.channels]!;
      expect(grey(37, 30)).toBeLessThan(40);
      expect(grey(3, 30)).toBeGreaterThan(215);
    },
  );

  it.each(['gif', 'webp'] as const)('keeps an animated %s animated', async (format) => {
    const image = await animate(format);
    const withExtra = Buffer.concat([image, Buffer.from('<script>alert(1)</script>')]);
    const [plain, cleaned] = [await inspect(image), await inspect(withExtra)];

    expect(plain.served.equals(image)).toBe(true);
    expect([cleaned.width, cleaned.height]).toEqual([20, 10]);
    expect((await sharp(cleaned.served).metadata()).pages).toBe(3);
    expect((await sharp(cleaned.served).metadata()).delay).toEqual([100, 100, 100]);
    expect(cleaned.served.includes('<script>')).toBe(false);
  });

  it.each(FORMATS)('removes bytes appended to a %s', async (format) => {
    const { served } = await inspect(Buffer.concat([await make(format), Buffer.from('PK\x03\x04 hidden')]));

    expect(served.includes('hidden')).toBe(false);
    expect((await sharp(served).metadata()).format).toBe(format);
  });

  it.each(FORMATS)('reads a %s of many blocks to its end', async (format) => {
    const image = await noise(700, 500)
      .toFormat(format, format === 'gif' ? { effort: 1 } : {})
      .toBuffer();
    const [plain, longer] = [
      await inspect(image),
      await inspect(Buffer.concat([image, Buffer.from('hidden')])),
    ];

    expect(image.length).toBeGreaterThan(65_536);
    expect(plain.served.equals(image)).toBe(true);
    expect([longer.width, longer.height]).toEqual([700, 500]);
    expect(longer.served.includes('hidden')).toBe(false);
    expect(await codeOf(image.subarray(0, -1))).toBe('unreadable_file');
  });

  it.each<[string, Format, WebpOptions]>([
    ['a PNG', 'png', {}],
    ['a lossless WebP', 'webp', { lossless: true }],
  ])('changes no pixel of %s that is rewritten', async (_name, format, options) => {
    const image = await noise(60, 40).toFormat(format, options).withExif(GPS).toBuffer();
    const { served } = await inspect(image);

    expect(served.equals(image)).toBe(false);
    expect(await largestDifference(image, served)).toBe(0);
  });

  it.each<Format>(['jpeg', 'webp'])('keeps the quality of a %s that is rewritten', async (format) => {
    const image = await noise(600, 400).blur(3).toFormat(format, { quality: 90 }).withExif(GPS).toBuffer();
    const { served } = await inspect(image);

    expect(served.equals(image)).toBe(false);
    expect(served.length).toBeGreaterThan(0.8 * image.length);
    expect(served.length).toBeLessThan(1.1 * image.length);
  });

  it('keeps equal frames of a GIF that is rewritten', async () => {
    const raw = { width: 20, height: 30, channels: 3, pageHeight: 10 } as const;
    const image = await sharp(Buffer.alloc(20 * 30 * 3, 90), { raw })
      .gif({ keepDuplicateFrames: true })
      .toBuffer();
    const { served } = await inspect(Buffer.concat([image, Buffer.from('hidden')]));

    expect((await sharp(served).metadata()).pages).toBe(3);
  });

  it('removes comments and thumbnails of a JPEG', async () => {
    const image = await make('jpeg');
    const comment = Buffer.from('\xff\xfe\0\x08secret', 'latin1');
    const { served } = await inspect(Buffer.concat([image.subarray(0, 2), comment, image.subarray(2)]));

    expect(served.includes('secret')).toBe(false);
    expect((await sharp(served).metadata()).width).toBe(60);
  });

  it.each(FORMATS)('refuses a truncated or damaged %s', async (format) => {
    const image = await make(format);
    const lengths = [...[0.2, 0.5, 0.9].map((share) => Math.floor(image.length * share)), image.length - 1];

    for (const length of lengths)
      await expect(inspect(image.subarray(0, length))).rejects.toMatchObject({
        code: 'unreadable_file',
        detail: 'The image is broken or truncated.',
      });
  });

  it('refuses more than 50 megapixels by the header, without decoding', async () => {
    const withoutPixels = await make('png');
    withoutPixels.writeUInt32BE(60_000, 16);
    withoutPixels.writeUInt32BE(60_000, 20);
    const wide = await blank(8_000, 6_300).png({ compressionLevel: 1 }).toBuffer();
    const animated = await animate('gif', 1_000, 1_000, 51);

    for (const image of [withoutPixels, wide, animated])
      await expect(inspect(image)).rejects.toMatchObject({
        code: 'unreadable_file',
        detail: 'The image has more than 50 megapixels over all its frames.',
      });
  });

  it('takes 49 megapixels', async () => {
    const { width, height } = await inspect(
      await blank(7_000, 7_000).png({ compressionLevel: 1 }).toBuffer(),
    );

    expect([width, height]).toEqual([7_000, 7_000]);
  });

  it('gives up an image after a time', async () => {
    const { timeoutMs } = IMAGE_LIMITS;
    IMAGE_LIMITS.timeoutMs = 1;
    try {
      await expect(inspect(await make('png'))).rejects.toMatchObject({
        code: 'unreadable_file',
        detail: 'The image is too complex to read.',
      });
    } finally {
      IMAGE_LIMITS.timeoutMs = timeoutMs;
    }
  });

  it('does not call an image broken that finds no space', async () => {
    const path = join(folder, 'photo');
    await writeFile(path, await noise(60, 40).withExif(GPS).jpeg().toBuffer());
    // Linux's device that is always full.
    await symlink('/dev/full', `${path}.clean`);

    await expect(inspector.inspect(path, 'photo.jpg')).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});

describe('FileInspector, of more files than may wait', () => {
  it('refuses the newest, and reads the others', async () => {
    const path = join(folder, 'many');
    await writeFile(path, await make('gif'));
    const queued = new FileInspector();
    const queue = (queued as unknown as { queue: WorkQueue }).queue;
    let open = () => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    const waiting = Array.from({ length: 202 }, () => queue.run(() => opened));

    await expect(queued.inspect(path, 'a.gif')).rejects.toMatchObject({
      code: 'unavailable',
      detail: 'Too many files are being read; try again shortly.',
    });
    open();
    await Promise.all(waiting);
    expect(await queued.inspect(path, 'a.gif')).toMatchObject({ mimeType: 'image/gif' });
  });
});

describe('FileInspector, of text', () => {
  it.each([
    ['a.json', 'application/json'],
    ['a.CSV', 'text/csv'],
    ['a.md', 'text/markdown'],
    ['a.markdown', 'text/markdown'],
    ['a.tsv', 'text/tab-separated-values'],
    ['a.yaml', 'application/yaml'],
    ['a.yml', 'application/yaml'],
    ['a.html', 'text/plain'],
    ['a.svg', 'text/plain'],
    ['a.js', 'text/plain'],
    ['a.png', 'text/plain'],
    ['file', 'text/plain'],
  ])('types %s as %s', async (name, mimeType) => {
    const text = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert("é")</script></svg>';
    expect(await inspect(text, name)).toMatchObject({ mimeType, text: null, served: Buffer.from(text) });
  });

  it.each<[string, Uint8Array | string]>([
    ['NUL', 'a\0b'],
    ['Latin-1', Buffer.from('caf\xe9', 'latin1')],
    ['a cut character', Buffer.from('é').subarray(0, 1)],
    ['HEIC', Buffer.concat([Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'), Buffer.alloc(50)])],
    ['ZIP', Buffer.from('PK\x03\x04\x14\0\0\0\x08\0', 'latin1')],
    ['an executable', Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01'), Buffer.alloc(60)])],
  ])('refuses %s', async (_, bytes) => expect(await codeOf(bytes, 'a.txt')).toBe('unsupported_file'));

  it('takes text that begins like a binary format', async () => {
    expect(await codeOf('BM is the start of a bitmap, and MZ of a program', 'a.txt')).toBe(
      'taken as text/plain',
    );
  });

  it('refuses an empty file', async () => expect(await codeOf('')).toBe('unreadable_file'));
});

describe('FileInspector, of PDFs', () => {
  const { ...limits } = PDF_LIMITS;
  afterEach(() => void Object.assign(PDF_LIMITS, limits));

  it('extracts the text of all pages and keeps the bytes', async () => {
    const pdf = makePdf({ pages: ['First page', 'Second page'] });
    const { mimeType, text, served } = await inspect(pdf, 'a.pdf');

    expect([mimeType, text]).toEqual(['application/pdf', 'First page\n\nSecond page']);
    expect(served.equals(pdf)).toBe(true);
  });

  it.each<[string, string, Buffer]>([
    ['encrypted', 'The PDF is encrypted.', makePdf({ trailer: ENCRYPTED })],
    ['without text', 'The PDF has no text.', makePdf({ pages: [''] })],
    ['truncated', PDF_BROKEN, makePdf().subarray(0, 60)],
    [
      'of 2,001 pages',
      'The PDF has more than 2,000 pages.',
      makePdf({ pages: Array<string>(2_001).fill('a') }),
    ],
    [
      'of 1,020,000 characters',
      'The PDF has more than 1,000,000 characters of text.',
      makePdf({ pages: Array<string>(30).fill('i'.repeat(34_000)) }),
    ],
    ['nested a million deep', PDF_BROKEN, Buffer.from(`%PDF-1.4\n1 0 obj\n${'['.repeat(1e6)}`)],
  ])(
    'refuses a PDF %s',
    async (_, reason, pdf) => {
      // The process has a low priority: on a busy machine the limit would be the reason.
      PDF_LIMITS.timeoutMs = 50_000;
      await expect(inspect(pdf)).rejects.toMatchObject({
        code: 'unreadable_file',
        detail: reason,
      });
    },
    60_000,
  );

  it('refuses a Flate bomb without using memory or time of the server', async () => {
    const bomb = makePdf({ content: await deflateSpaces(700) });
    expect(bomb.length).toBeLessThan(1e6);
    await refuseWithoutUsingTheServer(bomb);
  }, 50_000);

  it('ends the process of a Flate bomb that takes more than 256 MB', async () => {
    const path = join(folder, 'bomb.pdf');
    await writeFile(path, makePdf({ content: await deflateSpaces(700) }));
    const process = spawn(execPath, [join(import.meta.dirname, 'pdf.worker.mjs'), path], { timeout: 50_000 });

    const [code, signal] = await once(process, 'exit');

    expect([code, signal]).toEqual([1, null]);
  }, 60_000);
});

/** Of 20 MB, with as many segments as fit. */
const MANY_SEGMENTS: [Format, start: string, segment: string][] = [
  ['jpeg', '\xff\xd8\xff', '\xff'],
  ['jpeg', '\xff\xd8\xff\xda\0\x02', '\xff\0'],
  ['gif', 'GIF89a\x02\0\x02\0\0\0\0', '!\xf9\0'],
  ['webp', 'RIFF\xf8\xff\x3f\x01WEBP', 'ANMF\0\0\0\0'],
];

describe('FileInspector, of images with millions of segments', () => {
  it.each(MANY_SEGMENTS)(
    'refuses a %s of %j and %j without using memory or time of the server',
    async (_format, start, segment) => {
      const segments = Buffer.alloc(20 * 1024 * 1024 - start.length, segment, 'latin1');

      await refuseWithoutUsingTheServer(Buffer.concat([Buffer.from(start, 'latin1'), segments]));
    },
    50_000,
  );
});

async function refuseWithoutUsingTheServer(bytes: Buffer): Promise<void> {
  const before = process.memoryUsage.rss();
  const turns: number[] = [];
  // Other processes interfere with single turns: the shortest of three runs counts.
  while (turns.length < 3 && turns.every((turn) => turn >= 100)) {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const startedAt = performance.now();

    expect(await codeOf(bytes)).toBe('unreadable_file');

    delay.disable();
    turns.push(delay.max / 1e6);
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(50e6);
  }
  expect(Math.min(...turns)).toBeLessThan(100);
}
