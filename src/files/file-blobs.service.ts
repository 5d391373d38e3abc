import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { randomUUID } from 'node:crypto';
import { type EntityManager, IsNull, Repository } from 'typeorm';
import { transaction } from '../database/retry.js';
import { FileBlob } from './file-blob.entity.js';
import { StoredFile } from './file.entity.js';
import { FileStorage, StorageUnavailableError } from './storage/file-storage.js';

/** Longer than writing takes. */
const RESERVED_MS = 60 * 60_000;

/** Bytes that were written, but which no file uses yet. */
export type ReservedBlob = FileBlob & { deleteAt: Date };

/** Keeps the rows of stored bytes in step with the storage. Callers of `adopt` and `release` lock the user's row. */
@Injectable()
export class FileBlobs {
  constructor(
    @InjectRepository(FileBlob) private readonly rows: Repository<FileBlob>,
    private readonly storage: FileStorage,
  ) {}

  /**
   * Stores a local file. Its bytes are deleted in an hour unless `adopt` keeps them.
   * @throws {StorageUnavailableError}
   */
  async write(userId: number, path: string): Promise<ReservedBlob> {
    const deleteAt = new Date(Date.now() + RESERVED_MS);
    const blob = this.rows.create({ userId, storageKey: randomUUID(), deleteAt }) as ReservedBlob;
    await this.rows.insert(blob);
    try {
      await this.storage.put(blob.storageKey, path);
    } catch (error) {
      await this.discard(blob);
      throw error;
    }
    return blob;
  }

  /** Schedules the deletion of a reserved blob's bytes. */
  async discard({ id, deleteAt }: ReservedBlob): Promise<void> {
    await this.rows.update({ id, deleteAt }, { deleteAt: new Date() });
  }

  /**
   * Keeps the bytes for a file, or those that the user has already stored.
   * @returns the id of the blob with the content
   */
  async adopt(
    manager: EntityManager,
    blob: ReservedBlob,
    content: Pick<FileBlob, 'sha256' | 'text'>,
  ): Promise<number> {
    const { id, userId, deleteAt } = blob;
    const stored = await manager.findOneBy(FileBlob, { userId, sha256: content.sha256! });
    if (stored) {
      await manager.update(FileBlob, { id, deleteAt }, { deleteAt: new Date() });
      return stored.id;
    }
    const { affected } = await manager.update(FileBlob, { id, deleteAt }, { ...content, deleteAt: null });
    if (affected !== 1) throw new StorageUnavailableError(new Error('The bytes were deleted as abandoned.'));
    return id;
  }

  /** Schedules the deletion of the bytes if no file uses them any more. */
  async release(manager: EntityManager, blobId: number): Promise<void> {
    if (await manager.existsBy(StoredFile, { blobId })) return;
    const isKept = { id: blobId, deleteAt: IsNull() };
    await manager.update(FileBlob, isKept, { sha256: null, deleteAt: new Date() });
  }

  /**
   * Stores a scaled copy beside a blob's bytes.
   * @returns false if there is one already, or the bytes are deleted
   */
  async addScaled({ id, userId }: FileBlob, path: string): Promise<boolean> {
    const copy = await this.write(userId, path);
    return transaction(this.rows.manager.dataSource, async (manager) => {
      const where = { id, deleteAt: IsNull(), scaledBlobId: IsNull() };
      const { affected } = await manager.update(FileBlob, where, { scaledBlobId: copy.id });
      const deleteAt = affected === 1 ? null : new Date();
      await manager.update(FileBlob, { id: copy.id, deleteAt: copy.deleteAt }, { deleteAt });
      return affected === 1;
    });
  }
}
