/**
 * The Fernet token format, version 0x80: https://github.com/fernet/spec/blob/master/Spec.md
 *
 *     token = base64url(0x80 ‖ timestamp (8) ‖ IV (16) ‖ AES-128-CBC ciphertext ‖ HMAC-SHA256 (32))
 *     key   = base64url(signing key (16) ‖ encryption key (16))
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/** KeyObjects, because they do not reveal their bytes when logged. */
export interface FernetKey {
  readonly signing: KeyObject;
  readonly encryption: KeyObject;
}

const VERSION = 0x80;
const TIMESTAMP_OFFSET = 1;
const IV_OFFSET = 9;
const CIPHERTEXT_OFFSET = 25;
const BLOCK_BYTES = 16;
const HMAC_BYTES = 32;
const MAX_CLOCK_SKEW_SECONDS = 60;

/** @throws {TypeError} without the text, if it is not 32 bytes in padded base64url */
export function parseKey(text: string): FernetKey {
  const bytes = decodeBase64Url(text);
  if (bytes?.length !== 32) throw new TypeError('A Fernet key is 32 bytes in base64url with padding.');
  return { signing: createSecretKey(bytes.subarray(0, 16)), encryption: createSecretKey(bytes.subarray(16)) };
}

/** @param options.iv for tests only: an IV that repeats under a key reveals equal beginnings of plaintexts */
export function encrypt(
  key: FernetKey,
  plaintext: Buffer,
  { now = new Date(), iv = randomBytes(BLOCK_BYTES) }: { now?: Date; iv?: Buffer } = {},
): string {
  const head = Buffer.alloc(IV_OFFSET);
  head.writeUInt8(VERSION);
  head.writeBigUInt64BE(BigInt(toSeconds(now)), TIMESTAMP_OFFSET);
  const cipher = createCipheriv('aes-128-cbc', key.encryption, iv);
  const signed = Buffer.concat([head, iv, cipher.update(plaintext), cipher.final()]);
  return encodeBase64Url(Buffer.concat([signed, hmac(key, signed)]));
}

/**
 * Without `ttlSeconds` the timestamp is ignored, so that stored tokens stay readable when a clock is set back.
 * @returns null if the token is malformed, made with another key, expired or from the future
 */
export function decrypt(
  key: FernetKey,
  token: string,
  { ttlSeconds, now = new Date() }: { ttlSeconds?: number; now?: Date } = {},
): Buffer | null {
  const bytes = authenticate(key, token);
  if (!bytes) return null;
  if (ttlSeconds !== undefined && !isWithinTtl(bytes, ttlSeconds, now)) return null;
  return decipherToken(key, bytes);
}

/** Whether the token was made with this key. Verifies the HMAC without decrypting. */
export function isAuthentic(key: FernetKey, token: string): boolean {
  return authenticate(key, token) !== null;
}

function authenticate(key: FernetKey, token: string): Buffer | null {
  const bytes = decodeBase64Url(token);
  if (!bytes || !isWellFormed(bytes)) return null;
  const expected = hmac(key, bytes.subarray(0, -HMAC_BYTES));
  return timingSafeEqual(expected, bytes.subarray(-HMAC_BYTES)) ? bytes : null;
}

function isWellFormed(bytes: Buffer): boolean {
  const ciphertextBytes = bytes.length - CIPHERTEXT_OFFSET - HMAC_BYTES;
  return bytes[0] === VERSION && ciphertextBytes >= BLOCK_BYTES && ciphertextBytes % BLOCK_BYTES === 0;
}

function isWithinTtl(bytes: Buffer, ttlSeconds: number, now: Date): boolean {
  const ageSeconds = toSeconds(now) - Number(bytes.readBigUInt64BE(TIMESTAMP_OFFSET));
  return ageSeconds <= ttlSeconds && ageSeconds >= -MAX_CLOCK_SKEW_SECONDS;
}

function decipherToken(key: FernetKey, bytes: Buffer): Buffer | null {
  const decipher = createDecipheriv(
    'aes-128-cbc',
    key.encryption,
    bytes.subarray(IV_OFFSET, CIPHERTEXT_OFFSET),
  );
  try {
    return Buffer.concat([decipher.update(bytes.subarray(CIPHERTEXT_OFFSET, -HMAC_BYTES)), decipher.final()]);
  } catch {
    return null; // Invalid padding under a valid HMAC. No padding oracle, because only a key's holder can produce it.
  }
}

function hmac(key: FernetKey, signed: Buffer): Buffer {
  return createHmac('sha256', key.signing).update(signed).digest();
}

function toSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}

function encodeBase64Url(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

/** Returns null unless the text is canonical. Buffer alone skips invalid characters. */
function decodeBase64Url(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return encodeBase64Url(bytes) === text ? bytes : null;
}
