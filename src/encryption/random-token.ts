import { createHash, randomBytes } from 'node:crypto';

/** 256 random bits, in base64url. */
export const newToken = () => randomBytes(32).toString('base64url');

/** SHA-256 in hex, to be stored in place of a token. Unsalted and fast, which suffices for 256 random bits. */
export const hashToken = (token: string) => createHash('sha256').update(token).digest('hex');
