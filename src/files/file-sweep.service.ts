import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, IsNull, LessThanOrEqual } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { publishMeasurement } from '../common/logging/measurements.js';
import { transaction } from '../database/retry.js';
import { FileBlob } from './file-blob.entity.js';
import { FileBlobs } from './file-blobs.service.js';
import { StoredFile } from './file.entity.js';
import { FileStorage, StorageUnavailableError } from './storage/file-storage.js';
import { TemporaryFiles } from './upload/temporary-files.js';
import { deleteUnusedRow, lockDueRow } from './unused-files.js';

const INTERVAL_MS = 30_000;
const BATCH_SIZE = 100;
/** Longer than an attempt takes, so that no other node makes one meanwhile. */
const RETRY_MS = 60_000;
/** Failed deletions in a row that end a run: each may take 10 s. */
const MAX_FAILURES = 5;

/** Removes unused files, and deletes bytes that no file uses, again until it succeeds. Runs on every node. */
@Injectable()
export class FileSweep implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('FileSweep');
  private timer?: NodeJS.Timeout;
  private running?: Promise<void>;
  private isStopped = false;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly storage: FileStorage,
    private readonly blobs: FileBlobs,
    private readonly temporaryFiles: TemporaryFiles,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.run(), INTERVAL_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    await this.running;
  }

  /** Runs after a run in progress. Does not throw: the next run deletes what a failed one left. */
  run(): Promise<void> {
    this.running = (this.running ?? Promise.resolve()).then(() => this.sweep());
    return this.running;
  }

  private async sweep(): Promise<void> {
    try {
      await this.removeUnused();
      await this.deleteBytes();
      await this.temporaryFiles.sweep();
    } catch (error) {
      this.warn(error, 'Failed to remove unused files');
    }
  }

  private async removeUnused(): Promise<void> {
    while (!this.isStopped) {
      const now = new Date();
      const where = { expiresAt: LessThanOrEqual(now) };
      const due = await this.database.manager.find(StoredFile, { where, take: BATCH_SIZE });
      for (const file of due) await this.removeIfUnused(file, now);
      if (due.length < BATCH_SIZE) return;
    }
  }

  /** The lock of the row decides between the sweep, a send and the deletion of a conversation, which change the time. */
  private async removeIfUnused({ id, userId, bytes, blobId }: StoredFile, now: Date): Promise<void> {
    await transaction(this.database, async (manager) => {
      if (!(await lockDueRow(manager, id, now))) return;
      if (await deleteUnusedRow(manager, id)) {
        if (blobId === null) return;
        await manager.decrement(User, { id: userId }, 'bytesUsed', bytes);
        await this.blobs.release(manager, blobId);
      } else {
        await manager.update(StoredFile, { id }, { expiresAt: null });
      }
    });
  }

  private async deleteBytes(): Promise<void> {
    let failures = 0;
    while (!this.isStopped) {
      const where = { deleteAt: LessThanOrEqual(new Date()) };
      const order = { deleteAt: 'ASC' } as const;
      const due = await this.database.manager.find(FileBlob, { where, order, take: BATCH_SIZE });
      for (const blob of due) {
        failures = (await this.claimAndDelete(blob)) ? 0 : failures + 1;
        if (this.isStopped || failures >= MAX_FAILURES) return;
      }
      if (due.length === 0) return;
    }
  }

  /** @returns false if the storage failed */
  private async claimAndDelete({ id, deleteAt, storageKey, scaledBlobId }: FileBlob): Promise<boolean> {
    const claim = { deleteAt: new Date(Date.now() + RETRY_MS) };
    const { affected } = await this.database.manager.update(FileBlob, { id, deleteAt: deleteAt! }, claim);
    if (affected !== 1) return true;
    if (scaledBlobId !== null) {
      const copy = { id: scaledBlobId, deleteAt: IsNull() };
      await this.database.manager.update(FileBlob, copy, { deleteAt: new Date() });
    }
    try {
      await this.storage.delete(storageKey);
    } catch (error) {
      this.warn(error, 'Failed to delete a file from the storage');
      return false;
    }
    publishMeasurement('storage.deleted', {});
    await this.database.manager.delete(FileBlob, { id });
    return true;
  }

  private warn(error: unknown, message: string): void {
    const cause = error instanceof StorageUnavailableError ? error.cause : error;
    this.logger.warn({ error: String(cause) }, message);
  }
}
