import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, copyFile, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { makeFolder } from '../../env/make-folder.js';
import { type ByteRange, FileStorage, STORAGE_TIMEOUT_MS, storageFailure } from './file-storage.js';

/** Keeps files in a folder that only the server's user can read. */
export class FolderStorage extends FileStorage {
  constructor(private readonly folder: string) {
    super();
  }

  async put(key: string, path: string): Promise<void> {
    await guard(this.write(this.pathOf(key), path));
  }

  get(key: string, range?: ByteRange): Promise<Readable> {
    return guard(this.read(this.pathOf(key), range));
  }

  async delete(key: string): Promise<void> {
    await guard(rm(this.pathOf(key), { force: true }));
  }

  async probe(): Promise<void> {
    await guard(this.check());
  }

  async check(): Promise<void> {
    makeFolder(this.folder);
    await access(this.folder, constants.R_OK | constants.W_OK | constants.X_OK);
  }

  /** Renames a flushed copy, so that a crash leaves no incomplete file under the key. */
  private async write(target: string, path: string): Promise<void> {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    const draft = `${target}.${randomUUID()}.draft`;
    try {
      await copyFile(path, draft, constants.COPYFILE_EXCL);
      await chmod(draft, 0o600);
      await flush(draft);
      await rename(draft, target);
      await flush(dirname(target));
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  private async read(path: string, range?: ByteRange): Promise<Readable> {
    const file = await open(path);
    return file.createReadStream({ ...range });
  }

  private pathOf(key: string): string {
    if (!/^[\da-f-]{36}$/.test(key)) throw new Error('Not a key of the storage.');
    return join(this.folder, key.slice(0, 2), key);
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function guard<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('No answer in time.')), STORAGE_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, timeout]);
  } catch (error) {
    throw storageFailure(error);
  } finally {
    clearTimeout(timer);
  }
}
