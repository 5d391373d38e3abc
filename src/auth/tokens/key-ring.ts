import { createHmac, createSecretKey, KeyObject, timingSafeEqual } from 'node:crypto';

/**
 * The secrets of JWT_SECRETS: the first signs, all verify, so that a new one can be put in front without logging
 * anyone out. As KeyObjects, made once: jsonwebtoken takes 50 times as long with text.
 */
export class KeyRing {
  private readonly keys: [KeyObject, ...KeyObject[]];

  constructor([first, ...others]: string[]) {
    if (first === undefined) throw new Error('JWT_SECRETS is empty.');
    this.keys = [toKeyObject(first), ...others.map(toKeyObject)];
  }

  get signingKey(): KeyObject {
    return this.keys[0];
  }

  /** The key that signed a token, or any where none did: what the token's header says of keys is never asked. */
  verificationKeyOf(token: string): KeyObject {
    if (this.keys.length === 1) return this.signingKey;
    const end = token.lastIndexOf('.');
    const signature = Buffer.from(token.slice(end + 1), 'base64url');
    return this.keys.find((key) => isSignedWith(key, token.slice(0, end), signature)) ?? this.signingKey;
  }
}

const toKeyObject = (secret: string) => createSecretKey(secret, 'utf8');

function isSignedWith(key: KeyObject, signed: string, signature: Buffer): boolean {
  const expected = createHmac('sha256', key).update(signed).digest();
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}
