import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { Request } from 'express';
import { DataSource, type EntityManager } from 'typeorm';
import { revokedToken } from '../auth/auth.errors.js';
import { requireSession } from '../auth/sessions/require-session.js';
import type { Session } from '../auth/sessions/session.entity.js';
import { User } from '../auth/users/user.entity.js';
import { ProblemError } from '../common/errors/errors.js';
import { publishMeasurement } from '../common/logging/measurements.js';
import { transaction } from '../database/retry.js';
import { Settings } from '../env/settings.js';
import { FileInspector, type InspectedFile } from './content/file-inspector.js';
import { FileBlobs, type ReservedBlob } from './file-blobs.service.js';
import { cleanFileName } from './upload/file-name.js';
import { StoredFile } from './file.entity.js';
import { storageFull } from './files.errors.js';
import { storageFailure } from './storage/file-storage.js';
import { TemporaryFiles } from './upload/temporary-files.js';
import { readUpload } from './upload/upload-reader.js';

/** An unused file is removed this long after its upload. */
const UNUSED_KEPT_MS = 24 * 60 * 60_000;

const DISK_ERRORS = new Set<unknown>([
  'EACCES',
  'EDQUOT',
  'EEXIST',
  'EIO',
  'EMFILE',
  'ENOSPC',
  'ENOTDIR',
  'EROFS',
]);

type NewFile = InspectedFile & { session: Session; userId: number; name: string };

@Injectable()
export class Uploads {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly settings: Settings,
    private readonly temporaryFiles: TemporaryFiles,
    private readonly inspector: FileInspector,
    private readonly blobs: FileBlobs,
  ) {}

  /**
   * Stores nothing if the session ends meanwhile: an upload may take long.
   * @throws {ProblemError} for a bad upload, `storage_full`, `storage_unavailable`, `token_revoked`
   */
  async receive(session: Session, request: Request): Promise<StoredFile> {
    try {
      const file = await this.readAndStore(session, request).catch(reportDiskError);
      publishMeasurement('upload.ended', { result: 'stored', bytes: file.bytes });
      return file;
    } catch (error) {
      const result = error instanceof ProblemError ? error.code : 'internal_error';
      publishMeasurement('upload.ended', { result, bytes: 0 });
      throw error;
    }
  }

  private readAndStore(session: Session, request: Request): Promise<StoredFile> {
    return this.temporaryFiles.use(async (path) => {
      const name = cleanFileName(await readUpload(request, path));
      const inspected = await this.inspector.inspect(path, name);
      return this.store(path, { ...inspected, session, userId: session.userId, name });
    });
  }

  private async store(path: string, file: NewFile): Promise<StoredFile> {
    await this.refuseIfFull(file);
    const blob = await this.blobs.write(file.userId, path);
    try {
      return await transaction(this.database, (manager) => this.insert(manager, blob, file));
    } catch (error) {
      await this.blobs.discard(blob);
      throw error;
    }
  }

  private async insert(manager: EntityManager, blob: ReservedBlob, file: NewFile): Promise<StoredFile> {
    const { text, session, ...columns } = file;
    // Locks the user's row first: it decides between uploads, and between uploads and deletions of the same bytes.
    await this.takeSpace(manager, file);
    await requireSession(manager, session);
    const blobId = await this.blobs.adopt(manager, blob, { sha256: file.sha256, text });
    const createdAt = new Date();
    const expiresAt = new Date(createdAt.getTime() + UNUSED_KEPT_MS);
    const row = manager.create(StoredFile, { ...columns, blobId, deletedAt: null, expiresAt, createdAt });
    await manager.insert(StoredFile, row);
    return row;
  }

  private async takeSpace(manager: EntityManager, { userId, bytes }: NewFile): Promise<void> {
    const { affected } = await manager
      .createQueryBuilder()
      .update(User)
      .set({ bytesUsed: () => 'bytes_used + :bytes' })
      .where('id = :userId AND bytes_used <= :most')
      .setParameters({ userId, bytes, most: this.settings.storageLimitBytes - bytes })
      .execute();
    if (affected !== 1) throw storageFull();
  }

  /** Saves writing the bytes in vain; `takeSpace` decides. */
  private async refuseIfFull({ userId, bytes }: NewFile): Promise<void> {
    const user = await this.database.manager.findOneBy(User, { id: userId });
    if (!user) throw revokedToken();
    if (user.bytesUsed + bytes > this.settings.storageLimitBytes) throw storageFull();
  }
}

/** Reports a full or broken disk of temporary files as a failure of the storage. */
function reportDiskError(error: unknown): never {
  throw DISK_ERRORS.has((error as NodeJS.ErrnoException).code) ? storageFailure(error) : error;
}
