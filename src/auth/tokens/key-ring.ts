import { Injectable } from '@nestjs/common';
import { createHmac, createSecretKey, KeyObject, timingSafeEqual } from 'node:crypto';
import { Settings } from '../../env/settings.js';

/**
 * The secrets of JWT_SECRETS. The first signs and all verify, so that a new secret can be put first without logging
 * anyone out. Stored as KeyObjects, because jsonwebtoken converts a string for every token.
 */
@Injectable()
export class KeyRing {
  readonly signingKey: KeyObject;
  private readonly keys: KeyObject[];

  constructor({ jwtSecrets }: Settings) {
    const [signingKey, ...olderKeys] = jwtSecrets.map((secret) => createSecretKey(secret, 'utf8'));
    if (!signingKey) throw new Error('JWT_SECRETS is empty.');
    this.signingKey = signingKey;
    this.keys = [signingKey, ...olderKeys];
  }

  /** Returns the key that signed a token, or the signing key if none did. Ignores the token's header. */
  verificationKeyOf(token: string): KeyObject {
    if (this.keys.length === 1) return this.signingKey;
    const end = token.lastIndexOf('.');
    const signature = Buffer.from(token.slice(end + 1), 'base64url');
    return this.keys.find((key) => isSignedWith(key, token.slice(0, end), signature)) ?? this.signingKey;
  }
}

function isSignedWith(key: KeyObject, signed: string, signature: Buffer): boolean {
  const expected = createHmac('sha256', key).update(signed).digest();
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}
