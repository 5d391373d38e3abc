import { isPublished } from './published-secrets.js';
import { type Check, checkedList } from './rule.js';

const MIN_JWT_SECRET_BYTES = 32;
const MIN_DIFFERENT_CHARACTERS = 10;
/** 32 bytes in canonical base64url with padding; the last digit carries four bits. */
const FERNET_KEY = /^[\w-]{42}[AEIMQUYcgkosw048]=$/;

export const secrets = (check: Check) => checkedList(check, 'is required in production');

export const webhookSecrets = () => checkedList(checkWebhookSecret);

export const checkJwtSecret: Check = (secret) => {
  if (Buffer.byteLength(secret) < MIN_JWT_SECRET_BYTES)
    return `is shorter than ${MIN_JWT_SECRET_BYTES} bytes`;
  return checkVariety(secret) ?? checkUnpublished(secret);
};

export const checkEncryptionKey: Check = (key) => {
  if (!FERNET_KEY.test(key)) return 'is not a Fernet key (32 bytes in base64url with padding, 44 characters)';
  return checkUnpublished(key);
};

/** Outside production, keys of little variety are allowed for tests. */
export const checkProductionEncryptionKey: Check = (key) => checkEncryptionKey(key) ?? checkVariety(key);

/** As the Standard Webhooks specification asks: base64 of 24 to 64 bytes after the prefix. */
export const checkWebhookSecret: Check = (secret) => {
  const [, digits = ''] = /^whsec_([\w+/=-]+)$/.exec(secret) ?? [];
  const key = Buffer.from(digits, 'base64');
  if (key.length < 24 || key.length > 64 || key.toString('base64') !== digits)
    return 'is not whsec_ followed by 24 to 64 bytes in base64';
  return checkVariety(digits) ?? checkUnpublished(secret);
};

function checkVariety(secret: string): string | null {
  if (new Set(secret).size >= MIN_DIFFERENT_CHARACTERS) return null;
  return `has fewer than ${MIN_DIFFERENT_CHARACTERS} different characters`;
}

function checkUnpublished(secret: string): string | null {
  return isPublished(secret) ? 'is printed in public documents: generate one of your own' : null;
}
