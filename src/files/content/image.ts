import { rename, rm } from 'node:fs/promises';
import { UnreadableFileError } from './content.errors.js';
import type { ImageFormat } from './file-type.js';
import { runIsolated } from './isolated-script.js';

const WORKER = 'image.worker.mjs';
const REASONS: Record<string, string> = {
  broken: 'The image is broken or truncated.',
  pixels: 'The image has more than 50 megapixels over all its frames.',
};

export const IMAGE_LIMITS = { timeoutMs: 30_000, maxOutputBytes: 1024 };

export interface ImageSize {
  width: number;
  height: number;
}

interface CleanedImage extends ImageSize {
  /** Whether the image had no metadata, and is kept as it is. */
  isPlain: boolean;
}

/**
 * Checks an image, and rewrites it without metadata and upright, if it has any.
 * @throws {UnreadableFileError} if it is truncated, broken or has too many pixels
 * @throws {DiskFullError}
 */
export async function cleanImage(path: string, format: ImageFormat): Promise<ImageSize> {
  const draft = `${path}.clean`;
  try {
    const { isPlain, ...size } = await run('clean', path, format, draft);
    if (!isPlain) await rename(draft, path);
    return size;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function run(...args: string[]): Promise<CleanedImage> {
  const output = await runIsolated(WORKER, args, IMAGE_LIMITS);
  const result = output && (JSON.parse(output.toString()) as CleanedImage | { failure: string });
  if (!result || 'failure' in result) throw failureOf(result?.failure);
  return result;
}

function failureOf(failure?: string): Error {
  return failure === 'space' ? new DiskFullError() : unreadable(failure);
}

function unreadable(failure = ''): UnreadableFileError {
  return new UnreadableFileError(REASONS[failure] ?? 'The image is too complex to read.');
}

/** Error of the process in the form of Node's own. */
class DiskFullError extends Error {
  readonly code = 'ENOSPC';

  constructor() {
    super('No space is left for the image.');
  }
}
