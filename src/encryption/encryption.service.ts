import { Injectable } from '@nestjs/common';
import { Settings } from '../env/settings.js';
import { type FernetKey, encrypt, isAuthentic, decrypt, parseKey } from './fernet.js';

/** No key of the ring opens the token: it was altered, or its key was dropped from ENCRYPTION_KEYS. */
export class UnreadableTokenError extends Error {
  constructor() {
    super('No encryption key opens this token.');
    this.name = 'UnreadableTokenError';
  }
}

/** Keeps secrets as Fernet tokens under ENCRYPTION_KEYS: the first key encrypts, all decrypt, and none expires. */
@Injectable()
export class EncryptionService {
  private readonly currentKey: FernetKey;
  private readonly keys: FernetKey[];

  constructor(settings: Settings) {
    const [currentKey, ...olderKeys] = settings.encryptionKeys.map(parseKey);
    if (!currentKey) throw new Error('ENCRYPTION_KEYS holds no key.');
    this.currentKey = currentKey;
    this.keys = [currentKey, ...olderKeys];
  }

  encrypt(plaintext: string): string {
    return encrypt(this.currentKey, Buffer.from(plaintext, 'utf8'));
  }

  /** @throws UnreadableTokenError */
  decrypt(token: string): string {
    for (const key of this.keys) {
      const plaintext = decrypt(key, token);
      if (plaintext) return plaintext.toString('utf8');
    }
    throw new UnreadableTokenError();
  }

  /** Checks the token's HMAC only, so that listing what is stored decrypts nothing. */
  isReadable(token: string): boolean {
    return this.keys.some((key) => isAuthentic(key, token));
  }

  /** Whether another key than the first opens the token, or none does. */
  needsRotation(token: string): boolean {
    return !isAuthentic(this.currentKey, token);
  }

  /**
   * The same plaintext under the first key.
   * @throws UnreadableTokenError
   */
  rotate(token: string): string {
    return this.encrypt(this.decrypt(token));
  }
}
