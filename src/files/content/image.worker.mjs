/**
 * Decodes and encodes images.
 *
 * `clean PATH FORMAT DRAFT` decodes an image and prints `{width, height, isPlain}`; one that is not plain it writes to
 * DRAFT, upright and without metadata. It prints `{failure}` for one that cannot be taken. `scale SIDE` writes the first
 * frame of the image of standard input to standard output, with at most SIDE pixels a side.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { argv, stdin, stdout } from 'node:process';
import { buffer } from 'node:stream/consumers';
import sharp from 'sharp';
import { readStructure, withoutPngMetadata } from './image-structure.mjs';

/** Pixels of all frames together. */
const MAX_PIXELS = 50_000_000;
const QUALITY = 90;
const SCALED_QUALITY = 85;
const ALL_FRAMES = { pages: -1, limitInputPixels: MAX_PIXELS, sequentialRead: true };

class TooManyPixelsError extends Error {}

sharp.cache(false);
sharp.concurrency(1);
const [command, ...args] = argv.slice(2);
if (command === 'scale') await scale(...args);
else stdout.write(JSON.stringify(await clean(...args).catch(failureOf)));

async function clean(path, format, draft) {
  const structure = readStructure(await readFile(path), format);
  if (!structure) return { failure: 'broken' };
  const { isPlain, frames } = structure;
  if (!isPlain && frames === undefined) return { ...(await rewrite(path, format, draft)), isPlain };
  const size = await check(path, frames);
  if (!isPlain) await writeFile(draft, withoutPngMetadata(await readFile(path)));
  return { ...size, isPlain };
}

async function check(path, frames) {
  const metadata = await readMetadata(path, frames);
  // Reads all pixels without keeping them.
  await sharp(path, ALL_FRAMES).resize(1, 1, { fit: 'fill', fastShrinkOnLoad: false }).raw().toBuffer();
  return sizeOf(metadata);
}

async function rewrite(path, format, draft) {
  const { pages = 1 } = await readMetadata(path);
  const image = pages === 1 ? sharp(path, { ...ALL_FRAMES, pages: 1 }).autoOrient() : sharp(path, ALL_FRAMES);
  return sizeOf(await (await encode(image, format, path)).toFile(draft));
}

/** @param frames of an animated PNG, which libvips reads as one */
async function readMetadata(path, frames) {
  const metadata = await sharp(path, { ...ALL_FRAMES, limitInputPixels: false }).metadata();
  const { width, height } = sizeOf(metadata);
  if (width * height * (frames ?? metadata.pages ?? 1) > MAX_PIXELS) throw new TooManyPixelsError();
  return metadata;
}

/** Converts colours to sRGB, because the ICC profile is removed. */
async function encode(image, format, path) {
  switch (format) {
    case 'jpeg':
      // An optimised Huffman table would keep the whole image in memory.
      return image.jpeg({ quality: QUALITY, optimiseCoding: false });
    case 'png':
      return image.png();
    case 'gif':
      return image.gif({ keepDuplicateFrames: true });
    case 'webp':
      return image.webp({ quality: QUALITY, lossless: (await readFile(path)).includes('VP8L') });
  }
}

/** Encodes as PNG if the image may be transparent, else as JPEG. */
async function scale(side) {
  const image = sharp(await buffer(stdin), { pages: 1, sequentialRead: true });
  const { hasAlpha } = await image.metadata();
  const size = Number(side);
  const resized = image.resize({ width: size, height: size, fit: 'inside', withoutEnlargement: true });
  const encoded = hasAlpha ? resized.png() : resized.jpeg({ quality: SCALED_QUALITY });
  stdout.write(await encoded.toBuffer());
}

function sizeOf({ width, height, pageHeight }) {
  return { width, height: pageHeight ?? height };
}

function failureOf(error) {
  if (error instanceof TooManyPixelsError) return { failure: 'pixels' };
  return { failure: /no space left/i.test(error.message) ? 'space' : 'broken' };
}
