import { fileURLToPath } from 'node:url';
import type { Settings } from '../../env/settings.js';
import type { FileStorage } from './file-storage.js';
import { FolderStorage } from './folder-storage.js';
import { S3Storage } from './s3-storage.js';

/** @throws {Error} naming FILES_URL if the storage cannot be used; a bucket may be unreachable for now */
export async function createStorage({ filesUrl }: Settings): Promise<FileStorage> {
  const storage = filesUrl.startsWith('s3:')
    ? new S3Storage(new URL(filesUrl))
    : new FolderStorage(folderOf(filesUrl));
  try {
    await storage.check();
  } catch (error) {
    throw new Error(`FILES_URL names no storage that can be used: ${(error as Error).message}`);
  }
  return storage;
}

function folderOf(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length);
}
