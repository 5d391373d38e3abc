interface WebCrypto {
  randomUUID?(): string;
  getRandomValues?(bytes: Uint8Array): Uint8Array;
}

/** A random UUID (version 4). React Native has neither `randomUUID` nor, without a polyfill, `getRandomValues`. */
export function uuid(): string {
  const { crypto } = globalThis as { crypto?: WebCrypto };
  if (crypto?.randomUUID) return crypto.randomUUID();
  const bytes = randomBytes(crypto);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Not for secrets: `Math.random` suffices for ids that are unique within a conversation. */
function randomBytes(crypto: WebCrypto | undefined): Uint8Array {
  const bytes = new Uint8Array(16);
  if (crypto?.getRandomValues) crypto.getRandomValues(bytes);
  else bytes.forEach((_, index) => (bytes[index] = Math.floor(Math.random() * 256)));
  return bytes;
}
