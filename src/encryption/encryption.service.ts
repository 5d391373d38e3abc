import { Injectable } from '@nestjs/common';
import { Settings } from '../env/settings.js';
import { type FernetKey, encrypt, isAuthentic, decrypt, parseKey } from './fernet.js';

/** Thrown if the token was altered or its key was removed from ENCRYPTION_KEYS. */
export class UnreadableTokenError extends Error {
  constructor() {
    super('No encryption key decrypts this token.');
    this.name = 'UnreadableTokenError';
  }
}

/** Encrypts secrets as Fernet tokens, without expiry. The first of ENCRYPTION_KEYS encrypts; all decrypt. */
@Injectable()
export class EncryptionService {
  private readonly currentKey: FernetKey;
  private readonly keys: FernetKey[];

  constructor(settings: Settings) {
    const [currentKey, ...olderKeys] = settings.encryptionKeys.map(parseKey);
    if (!currentKey) throw new Error('ENCRYPTION_KEYS is empty.');
    this.currentKey = currentKey;
    this.keys = [currentKey, ...olderKeys];
  }

  encrypt(plaintext: string): string {
    return encrypt(this.currentKey, Buffer.from(plaintext, 'utf8'));
  }

  /** @throws {UnreadableTokenError} */
  decrypt(token: string): string {
    for (const key of this.keys) {
      const plaintext = decrypt(key, token);
      if (plaintext) return plaintext.toString('utf8');
    }
    throw new UnreadableTokenError();
  }

  /** Whether any key decrypts the token. Verifies the HMAC only, so that lists decrypt nothing. */
  isReadable(token: string): boolean {
    return this.keys.some((key) => isAuthentic(key, token));
  }

  /** Whether the token is not encrypted under the first key. */
  needsRotation(token: string): boolean {
    return !isAuthentic(this.currentKey, token);
  }

  /**
   * Re-encrypts a token under the first key.
   * @throws {UnreadableTokenError}
   */
  rotate(token: string): string {
    return this.encrypt(this.decrypt(token));
  }
}
