import { createHash, randomBytes } from 'node:crypto';
import { type EntityManager, MoreThan } from 'typeorm';
import { MailToken } from './mail-token.entity.js';

const LIFETIME_MS: Record<MailToken['purpose'], number> = { reset: 30 * 60_000 };

/**
 * Issues a token of 256 random bits, of which only the hash is stored. Cancels the user's older tokens of the purpose.
 * @returns the token in base64url
 */
export async function issueMailToken(
  manager: EntityManager,
  userId: number,
  purpose: MailToken['purpose'],
): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  await manager.delete(MailToken, { userId, purpose });
  const expiresAt = new Date(Date.now() + LIFETIME_MS[purpose]);
  await manager.insert(MailToken, { tokenHash: hash(token), userId, purpose, expiresAt });
  return token;
}

/** Finds the row of a token that has not expired. */
export function findMailToken(
  manager: EntityManager,
  token: string,
  purpose: MailToken['purpose'],
): Promise<MailToken | null> {
  const where = { tokenHash: hash(token), purpose, expiresAt: MoreThan(new Date()) };
  return manager.findOne(MailToken, { where, relations: { user: true } });
}

/** Cancels all tokens of a user: after a reset, a changed password or a changed email address. */
export async function cancelMailTokens(manager: EntityManager, userId: number): Promise<void> {
  await manager.delete(MailToken, { userId });
}

/** Unsalted and fast, which suffices for 256 random bits. */
const hash = (token: string) => createHash('sha256').update(token).digest('hex');
