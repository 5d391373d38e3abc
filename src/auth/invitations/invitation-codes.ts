import { createHash, randomBytes } from 'node:crypto';

/** 256 random bits, in base64url. */
export const newInvitationCode = () => randomBytes(32).toString('base64url');

/** Unsalted and fast, which suffices for 256 random bits. */
export const hashInvitationCode = (code: string) => createHash('sha256').update(code).digest('hex');
