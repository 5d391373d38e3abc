import type { ImageSize } from './image.js';
import { runIsolated } from './isolated-script.js';

const MAX_SIDE = 2048;
const LIMITS = { timeoutMs: 30_000, maxOutputBytes: 32 * 1024 * 1024 };

/** @returns the size after scaling to at most 2048 pixels a side */
export function scaledSize({ width, height }: ImageSize): ImageSize {
  const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  const scaled = (side: number) => Math.max(1, Math.round(side * scale));
  return { width: scaled(width), height: scaled(height) };
}

/**
 * Encodes the first frame, as PNG if it may be transparent, else as JPEG.
 * @returns null if the image cannot be read
 */
export function scaleImage(bytes: Buffer): Promise<Buffer | null> {
  return runIsolated('image.worker.mjs', ['scale', String(MAX_SIDE)], LIMITS, bytes);
}

/** Recognizes the formats that `scaleImage` writes. */
export function scaledType(bytes: Buffer): string {
  return bytes[0] === 0xff ? 'image/jpeg' : 'image/png';
}
