import { readFile, writeFile } from 'node:fs/promises';
import type { Metadata, Sharp, SharpOptions } from 'sharp';
import { UnreadableFileError } from './content.errors.js';
import type { ImageFormat } from './file-type.js';
import { type ImageStructure, readStructure, withoutPngMetadata } from './image-structure.js';

/** Pixels of all frames together. */
const MAX_PIXELS = 50_000_000;
const QUALITY = 90;

export interface ImageSize {
  width: number;
  height: number;
}

/** Loads libvips at first use. */
export async function loadSharp(): Promise<typeof import('sharp').default> {
  const { default: sharp } = await import('sharp');
  sharp.cache(false);
  sharp.concurrency(1);
  return sharp;
}

/**
 * Checks an image, and rewrites it without metadata and upright, if it has any.
 * @throws {UnreadableFileError} if it is truncated, broken or has too many pixels
 */
export async function cleanImage(path: string, format: ImageFormat): Promise<ImageSize> {
  const bytes = await readFile(path);
  const structure = readStructure(bytes, format);
  if (!structure) throw broken();
  try {
    return await cleanBytes(path, bytes, format, structure);
  } catch (error) {
    if (error instanceof UnreadableFileError || isSystemError(error)) throw error;
    throw broken();
  }
}

async function cleanBytes(
  path: string,
  bytes: Buffer,
  format: ImageFormat,
  { isPlain, frames }: ImageStructure,
): Promise<ImageSize> {
  const sharp = await loadSharp();
  const options: SharpOptions = { pages: -1, limitInputPixels: MAX_PIXELS, sequentialRead: true };
  const metadata = await sharp(bytes, { ...options, limitInputPixels: false }).metadata();
  refuseBomb(metadata, frames);
  if (isPlain || frames !== undefined) {
    await sharp(bytes, options).stats();
    if (!isPlain) await writeFile(path, withoutPngMetadata(bytes));
    return sizeOf(metadata);
  }
  const isStill = (metadata.pages ?? 1) === 1;
  const image = sharp(bytes, isStill ? { ...options, pages: 1 } : options);
  const upright = isStill ? image.autoOrient() : image;
  const { data, info } = await encode(upright, format, bytes).toBuffer({ resolveWithObject: true });
  await writeFile(path, data);
  return { width: info.width, height: info.pageHeight ?? info.height };
}

function refuseBomb(metadata: Metadata, frames?: number): void {
  const { width, height } = sizeOf(metadata);
  const pixels = width * height * (frames ?? metadata.pages ?? 1);
  if (pixels > MAX_PIXELS)
    throw new UnreadableFileError('The image has more than 50 megapixels over all its frames.');
}

function sizeOf({ width, height, pageHeight }: Metadata): ImageSize {
  return { width, height: pageHeight ?? height };
}

/** Converts colours to sRGB, because the ICC profile is removed. */
function encode(image: Sharp, format: ImageFormat, original: Buffer): Sharp {
  switch (format) {
    case 'jpeg':
      return image.jpeg({ quality: QUALITY });
    case 'png':
      return image.png();
    case 'gif':
      return image.gif({ keepDuplicateFrames: true });
    case 'webp':
      return image.webp({ quality: QUALITY, lossless: original.includes('VP8L') });
  }
}

function broken(): UnreadableFileError {
  return new UnreadableFileError('The image is broken or truncated.');
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
