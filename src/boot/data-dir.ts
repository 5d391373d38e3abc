import { accessSync, constants } from 'node:fs';
import { EnvironmentError } from '../env/environment-error.js';
import { makeFolder } from '../env/make-folder.js';
import type { Settings } from '../env/settings.js';

/**
 * Creates the folder of the embedded database and of files.
 * @throws {EnvironmentError} naming DATA_DIR if it cannot be created or written to
 */
export function prepareDataDir({ dataDir, databaseUrl, filesUrl }: Settings): void {
  const isUsed = databaseUrl.startsWith(`sqlite:${dataDir}/`) || filesUrl.startsWith(`file:${dataDir}/`);
  if (!isUsed) return;
  try {
    makeFolder(dataDir);
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new EnvironmentError([`DATA_DIR must name a folder that can be created and written to (${code}).`]);
  }
}
