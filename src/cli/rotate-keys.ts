/** `npm run keys:rotate`. Exits with 1 if a stored key cannot be decrypted by any key of ENCRYPTION_KEYS. */
import { createDataSource } from '../database/data-source.js';
import { EncryptionService } from '../encryption/encryption.service.js';
import { loadSettings, readDotEnv } from '../env/settings.js';
import { SCHEMA } from '../schema.js';
import { rotateKeys, rotateMails, RotationProgress } from '../configs/key-rotation.js';

readDotEnv();
const settings = loadSettings(process.env);
const dataSource = await createDataSource(settings.databaseUrl, SCHEMA).initialize();
try {
  const encryption = new EncryptionService(settings);
  await rotateMails(dataSource, encryption);
  const { unreadable } = await rotateKeys(dataSource, encryption, print);
  if (unreadable > 0) {
    console.error(
      `${unreadable} stored keys cannot be read: keep the older ENCRYPTION_KEYS, or ask the owners to enter them again.`,
    );
    process.exitCode = 1;
  }
} finally {
  await dataSource.destroy();
}

function print({ scanned, rotated, unreadable }: RotationProgress): void {
  console.log(`${scanned} seen, ${rotated} re-encrypted, ${unreadable} unreadable`);
}
