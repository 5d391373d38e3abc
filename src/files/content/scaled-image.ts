import type { ImageSize } from './image.js';
import { loadSharp } from './image.js';

const MAX_SIDE = 2048;
const QUALITY = 85;

export interface ScaledImage extends ImageSize {
  bytes: Buffer;
}

/** @returns the size after scaling to at most 2048 pixels a side */
export function scaledSize({ width, height }: ImageSize): ImageSize {
  const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  const scaled = (side: number) => Math.max(1, Math.round(side * scale));
  return { width: scaled(width), height: scaled(height) };
}

/** Encodes the first frame, as PNG if it may be transparent, else as JPEG. */
export async function scaleImage(bytes: Buffer): Promise<ScaledImage> {
  const sharp = await loadSharp();
  const image = sharp(bytes, { pages: 1, sequentialRead: true });
  const { hasAlpha } = await image.metadata();
  const resized = image.resize({
    width: MAX_SIDE,
    height: MAX_SIDE,
    fit: 'inside',
    withoutEnlargement: true,
  });
  const encoded = hasAlpha ? resized.png() : resized.jpeg({ quality: QUALITY });
  const { data, info } = await encoded.toBuffer({ resolveWithObject: true });
  return { bytes: data, width: info.width, height: info.height };
}

/** Recognizes the formats that `scaleImage` writes. */
export function scaledType(bytes: Buffer): string {
  return bytes[0] === 0xff ? 'image/jpeg' : 'image/png';
}
