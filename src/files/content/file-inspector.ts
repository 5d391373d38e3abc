import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { QueueFullError, WorkQueue } from '../../common/async/work-queue.js';
import { UnavailableError } from '../../common/errors/errors.js';
import { UnreadableFileError } from './content.errors.js';
import { readBlocks } from './file-bytes.js';
import { detectKind, type FileKind } from './file-type.js';
import { cleanImage } from './image.js';
import { scaleImage } from './scaled-image.js';
import { extractPdfText } from './pdf-text.js';

/** Properties of the bytes that are served. */
export interface InspectedFile {
  mimeType: string;
  bytes: number;
  /** Lower-case hexadecimal. */
  sha256: string;
  width: number | null;
  height: number | null;
  /** Text of a PDF, else null. */
  text: string | null;
}

type Content = Pick<InspectedFile, 'mimeType' | 'width' | 'height' | 'text'>;

/** Images and PDFs handled at once; each may need some hundred megabytes. */
const MAX_CONCURRENT = 2;
const MAX_WAITING = 200;

/** Recognizes uploaded files by their bytes, and removes metadata from images. */
@Injectable()
export class FileInspector {
  private readonly queue = new WorkQueue(MAX_CONCURRENT, MAX_WAITING);

  /**
   * Rewrites the file at the path if it is an image with metadata.
   * @param name of the upload; its extension refines the type of text
   * @throws {UnsupportedFileError} 415
   * @throws {UnreadableFileError} 422
   */
  async inspect(path: string, name: string): Promise<InspectedFile> {
    if ((await stat(path)).size === 0) throw new UnreadableFileError('The file is empty.');
    const kind = await detectKind(path, name);
    const content = await this.read(path, kind);
    return { ...content, bytes: (await stat(path)).size, sha256: await sha256Of(path) };
  }

  /** Scales an image for models. @throws {UnavailableError} */
  async scale(bytes: Buffer): Promise<Buffer> {
    const scaled = await this.enqueue(() => scaleImage(bytes));
    if (!scaled)
      throw new UnavailableError('unavailable', 'An image could not be scaled; try again shortly.');
    return scaled;
  }

  private async read(path: string, kind: FileKind): Promise<Content> {
    const size = { width: null, height: null };
    switch (kind.kind) {
      case 'image': {
        const cleaned = await this.enqueue(() => cleanImage(path, kind.format));
        return { mimeType: `image/${kind.format}`, ...cleaned, text: null };
      }
      case 'pdf':
        return { mimeType: 'application/pdf', ...size, text: await this.enqueue(() => extractPdfText(path)) };
      case 'text':
        return { mimeType: kind.mimeType, ...size, text: null };
    }
  }

  private async enqueue<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.queue.run(work);
    } catch (error) {
      if (!(error instanceof QueueFullError)) throw error;
      throw new UnavailableError('unavailable', 'Too many files are being read; try again shortly.');
    }
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const block of readBlocks(path)) hash.update(block);
  return hash.digest('hex');
}
