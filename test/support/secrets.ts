import { randomBytes } from 'node:crypto';

export const jwtSecret = () => randomBytes(48).toString('base64');
export const fernetKey = () => `${randomBytes(32).toString('base64url')}=`;
export const webhookSecret = (bytes = 24) => `whsec_${randomBytes(bytes).toString('base64')}`;
