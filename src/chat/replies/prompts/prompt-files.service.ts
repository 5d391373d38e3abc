import { Injectable, Logger } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { Repository } from 'typeorm';
import { ImagePart, type PromptPart, type TextPart } from '../../../ai/provider/prompt-content.js';
import { scaledSize, scaledType } from '../../../files/content/scaled-image.js';
import { FileInspector } from '../../../files/content/file-inspector.js';
import { FileBlob } from '../../../files/file-blob.entity.js';
import { FileBlobs } from '../../../files/file-blobs.service.js';
import type { StoredFile } from '../../../files/file.entity.js';
import { FileStorage, StorageUnavailableError } from '../../../files/storage/file-storage.js';
import { TemporaryFiles } from '../../../files/upload/temporary-files.js';

/** Formats without animations, sent as they are if they are small enough. */
const STILL_FORMATS = new Set(['image/png', 'image/jpeg']);

/** Reads files into parts of prompts. */
@Injectable()
export class PromptFiles {
  private readonly logger = new Logger('PromptFiles');

  constructor(
    @InjectRepository(FileBlob) private readonly rows: Repository<FileBlob>,
    private readonly storage: FileStorage,
    private readonly blobs: FileBlobs,
    private readonly inspector: FileInspector,
    private readonly temporaryFiles: TemporaryFiles,
  ) {}

  /**
   * @param isCurrent whether it belongs to the message to answer
   * @returns null for a deleted file
   * @throws {StorageUnavailableError}
   */
  async read(file: StoredFile, isCurrent: boolean): Promise<PromptPart | null> {
    const blob = file.blobId === null ? null : await this.rows.findOneBy({ id: file.blobId });
    if (!blob) return null;
    if (file.width !== null) return this.readImage(file, blob, isCurrent);
    return fileText(file.name, blob.text ?? (await this.readBytes(blob)).toString());
  }

  private async readImage(
    { name, mimeType, width, height }: StoredFile,
    blob: FileBlob,
    isCurrent: boolean,
  ): Promise<ImagePart> {
    const original = { width: width!, height: height! };
    const size = scaledSize(original);
    const isSmall = size.width === original.width && size.height === original.height;
    const isSent = isSmall && STILL_FORMATS.has(mimeType);
    const bytes = isSent ? await this.readBytes(blob) : await this.readScaled(blob);
    const url = `data:${isSent ? mimeType : scaledType(bytes)};base64,${bytes.toString('base64')}`;
    return new ImagePart({ url }, { name, ...size, isCurrent });
  }

  /** Scales an image once; later prompts read the stored copy. */
  private async readScaled(blob: FileBlob): Promise<Buffer> {
    if (blob.scaledBlobId !== null) {
      const copy = await this.rows.findOneBy({ id: blob.scaledBlobId });
      if (copy) return this.readBytes(copy);
    }
    const bytes = await this.inspector.scale(await this.readBytes(blob));
    // Without the copy, the next prompt scales the image again.
    await this.storeScaled(blob, bytes).catch((error: unknown) =>
      this.logger.warn({ error: String(error) }, 'Failed to store a scaled image'),
    );
    return bytes;
  }

  private storeScaled(blob: FileBlob, bytes: Buffer): Promise<void> {
    return this.temporaryFiles.use(async (path) => {
      await writeFile(path, bytes, { mode: 0o600 });
      await this.blobs.addScaled(blob, path);
    });
  }

  /** Breaks off with `StorageUnavailableError` also in the middle of the bytes. */
  private async readBytes({ storageKey }: FileBlob): Promise<Buffer> {
    const stream = await this.storage.get(storageKey);
    try {
      return await buffer(stream);
    } catch (error) {
      throw new StorageUnavailableError(error);
    }
  }
}

function fileText(name: string, text: string): TextPart {
  return { type: 'text', text: `File ${JSON.stringify(name)}:\n\n${text}` };
}
