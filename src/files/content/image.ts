import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Metadata, OutputInfo, Sharp, SharpOptions } from 'sharp';
import { UnreadableFileError } from './content.errors.js';
import { FileBytes } from './file-bytes.js';
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
  const structure = await structureOf(path, format);
  if (!structure) throw broken();
  try {
    return await cleanFile(path, format, structure);
  } catch (error) {
    if (error instanceof UnreadableFileError || isSystemError(error)) throw error;
    throw broken();
  }
}

async function structureOf(path: string, format: ImageFormat): Promise<ImageStructure | null> {
  const file = await open(path);
  try {
    return readStructure(new FileBytes(file.fd, (await file.stat()).size), format);
  } finally {
    await file.close();
  }
}

async function cleanFile(
  path: string,
  format: ImageFormat,
  { isPlain, frames }: ImageStructure,
): Promise<ImageSize> {
  const sharp = await loadSharp();
  const options: SharpOptions = { pages: -1, limitInputPixels: MAX_PIXELS, sequentialRead: true };
  const metadata = await sharp(path, { ...options, limitInputPixels: false }).metadata();
  refuseBomb(metadata, frames);
  if (isPlain || frames !== undefined) {
    await decode(sharp(path, options));
    if (!isPlain) await writeFile(path, withoutPngMetadata(await readFile(path)));
    return sizeOf(metadata);
  }
  const isStill = (metadata.pages ?? 1) === 1;
  const image = sharp(path, isStill ? { ...options, pages: 1 } : options);
  const upright = isStill ? image.autoOrient() : image;
  const { width, height, pageHeight } = await rewrite(await encode(upright, format, path), path);
  return { width, height: pageHeight ?? height };
}

/** Reads all pixels without keeping them. */
async function decode(image: Sharp): Promise<void> {
  await image.resize(1, 1, { fit: 'fill', fastShrinkOnLoad: false }).raw().toBuffer();
}

async function rewrite(image: Sharp, path: string): Promise<OutputInfo> {
  const draft = `${path}.clean`;
  try {
    const info = await image.toFile(draft);
    await rename(draft, path);
    return info;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
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
async function encode(image: Sharp, format: ImageFormat, path: string): Promise<Sharp> {
  switch (format) {
    case 'jpeg':
      return image.jpeg({ quality: QUALITY });
    case 'png':
      return image.png();
    case 'gif':
      return image.gif({ keepDuplicateFrames: true });
    case 'webp':
      return image.webp({ quality: QUALITY, lossless: (await readFile(path)).includes('VP8L') });
  }
}

function broken(): UnreadableFileError {
  return new UnreadableFileError('The image is broken or truncated.');
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
