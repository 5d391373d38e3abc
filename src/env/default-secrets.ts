import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { EnvironmentError } from './environment-error.js';
import { readOrCreateSecret } from './generated-secret.js';
import type { Check } from './rules/rule.js';
import { checkEncryptionKey, checkJwtSecret } from './rules/secret-rules.js';

export function generatedJwtSecret(dataDir: string): string {
  const generate = () => randomBytes(48).toString('base64');
  return generatedSecret('JWT_SECRETS', dataDir, 'jwt-secret', { check: checkJwtSecret, generate });
}

export function generatedEncryptionKey(dataDir: string): string {
  const generate = () => `${randomBytes(32).toString('base64url')}=`;
  return generatedSecret('ENCRYPTION_KEYS', dataDir, 'encryption-key', {
    check: checkEncryptionKey,
    generate,
  });
}

function generatedSecret(
  variable: string,
  dataDir: string,
  file: string,
  { check, generate }: { check: Check; generate: () => string },
): string {
  const secret = readOrCreate();
  const error = check(secret);
  if (error)
    throw new EnvironmentError([`${variable} is unset, and the secret in DATA_DIR/${file} ${error}`]);
  return secret;

  function readOrCreate(): string {
    try {
      return readOrCreateSecret(join(dataDir, file), generate);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new EnvironmentError([
        `${variable} is unset, and DATA_DIR/${file} cannot be read or created (${code})`,
      ]);
    }
  }
}
