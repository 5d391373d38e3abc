/** `npm run keys:rotate`. Exits with 1 if a stored key or secret cannot be decrypted by any key of ENCRYPTION_KEYS. */
import { createDataSource } from '../database/data-source.js';
import { EncryptionService } from '../encryption/encryption.service.js';
import { loadSettings, readDotEnv } from '../env/settings.js';
import { SCHEMA } from '../schema.js';
import { rotateKeys, rotateMails, rotateTotpSecrets, RotationProgress } from '../configs/key-rotation.js';

readDotEnv();
const settings = loadSettings(process.env);
const dataSource = await createDataSource(settings.databaseUrl, SCHEMA).initialize();
try {
  const encryption = new EncryptionService(settings);
  await rotateMails(dataSource, encryption);
  const secrets = await rotateTotpSecrets(dataSource, encryption);
  const keys = await rotateKeys(dataSource, encryption, print);
  reportUnreadable(keys, 'stored keys', 'ask the owners to enter them again');
  reportUnreadable(
    secrets,
    'secrets of authenticator apps',
    'ask their owners to set up the second factor again, after signing in with a recovery code',
  );
} finally {
  await dataSource.destroy();
}

function print({ scanned, rotated, unreadable }: RotationProgress): void {
  console.log(`${scanned} seen, ${rotated} re-encrypted, ${unreadable} unreadable`);
}

function reportUnreadable({ unreadable }: RotationProgress, things: string, remedy: string): void {
  if (unreadable === 0) return;
  console.error(`${unreadable} ${things} cannot be read: keep the older ENCRYPTION_KEYS, or ${remedy}.`);
  process.exitCode = 1;
}
