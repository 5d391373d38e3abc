import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../env/make-folder.js';
import { Settings } from '../../env/settings.js';

/** Longer than an upload takes. */
const MAX_AGE_MS = 60 * 60_000;

/** Uploads while they are received and inspected. */
@Injectable()
export class TemporaryFiles {
  private readonly folder: string;

  constructor({ dataDir }: Settings) {
    this.folder = join(dataDir, 'uploads');
  }

  /** Passes the path of a file that does not exist yet, and deletes it afterwards. */
  async use<T>(work: (path: string) => Promise<T>): Promise<T> {
    makeFolder(this.folder);
    const path = join(this.folder, randomUUID());
    try {
      return await work(path);
    } finally {
      await rm(path, { force: true });
    }
  }

  /** Deletes what crashed processes left. */
  async sweep(now = Date.now()): Promise<void> {
    for (const name of await readdir(this.folder).catch(() => [])) {
      const path = join(this.folder, name);
      const age = now - ((await stat(path).catch(() => null))?.mtimeMs ?? now);
      if (age > MAX_AGE_MS) await rm(path, { force: true, recursive: true });
    }
  }
}
