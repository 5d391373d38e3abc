import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, IsNull, MoreThan, Repository } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { transaction } from '../database/retry.js';
import { Settings } from '../env/settings.js';
import { FileBlobs } from './file-blobs.service.js';
import { FileLinks } from './file-links.service.js';
import { FileSweep } from './file-sweep.service.js';
import { FileListDto, type ListFilesDto, type StoredFileDto } from './file.dto.js';
import { StoredFile } from './file.entity.js';
import { fileNotFound } from './files.errors.js';
import { deleteUnusedRow } from './unused-files.js';

/** Files per read of all. */
const PAGE_SIZE = 200;

@Injectable()
export class FilesService {
  private readonly files: Repository<StoredFile>;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly settings: Settings,
    private readonly links: FileLinks,
    private readonly blobs: FileBlobs,
    private readonly sweep: FileSweep,
  ) {
    this.files = database.getRepository(StoredFile);
  }

  /** Includes a deleted file that a message names. Another user's file is reported as missing. */
  async getOwned(userId: number, id: number): Promise<StoredFile> {
    const file = await this.files.findOneBy({ id, userId });
    if (!file) throw fileNotFound();
    return file;
  }

  async list(userId: number, { limit, offset }: ListFilesDto): Promise<FileListDto> {
    const where = { userId, deletedAt: IsNull() };
    const page = { where, order: { id: 'DESC' }, skip: offset, take: limit } as const;
    const [files, total] = await this.files.findAndCount(page);
    const user = await this.database.manager.findOneByOrFail(User, { id: userId });
    return {
      files: files.map((file) => this.links.toDto(file)),
      total,
      bytes_used: user.bytesUsed,
      bytes_limit: this.settings.storageLimitBytes,
    };
  }

  /** Reads a user's files page by page, oldest first, without deleted ones. */
  async *readAll(userId: number): AsyncGenerator<StoredFileDto> {
    for (let lastId = 0; ;) {
      const where = { userId, deletedAt: IsNull(), id: MoreThan(lastId) };
      const page = await this.files.find({ where, order: { id: 'ASC' }, take: PAGE_SIZE });
      yield* page.map((file) => this.links.toDto(file));
      if (page.length < PAGE_SIZE) return;
      lastId = page.at(-1)!.id;
    }
  }

  /** Frees the space at once, and deletes the bytes in the background. The row stays while messages name the file. */
  async delete(userId: number, id: number): Promise<void> {
    const file = await this.getOwned(userId, id);
    await transaction(this.database, async (manager) => {
      await manager.decrement(User, { id: userId }, 'bytesUsed', file.bytes);
      const deleted = { deletedAt: new Date(), blobId: null };
      const { affected } = await manager.update(StoredFile, { id, userId, deletedAt: IsNull() }, deleted);
      if (affected !== 1) throw fileNotFound();
      await deleteUnusedRow(manager, id);
      await this.blobs.release(manager, file.blobId!);
    });
    void this.sweep.run();
  }
}
