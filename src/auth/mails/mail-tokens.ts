import { type EntityManager, IsNull, MoreThan } from 'typeorm';
import { invalidField } from '../../common/errors/errors.js';
import { hashToken, newToken } from '../../encryption/random-token.js';
import { User } from '../users/user.entity.js';
import { MailToken } from './mail-token.entity.js';

type Purpose = MailToken['purpose'];

const LIFETIME_MS: Record<Purpose, number> = { reset: 30 * 60_000, verification: 24 * 60 * 60_000 };

/**
 * Issues a token of 256 random bits, of which only the hash is stored. Cancels the user's older tokens of the purpose.
 * @param email the address that using the token verifies
 * @returns the token in base64url, or null if the user's address was changed or the account deleted meanwhile
 */
export async function issueMailToken(
  manager: EntityManager,
  user: Pick<User, 'id' | 'email'>,
  { purpose, email }: { purpose: Purpose; email: string | null },
): Promise<string | null> {
  // Locks the user's row: of simultaneous tokens one remains, and none outlives a change of the address.
  const { affected } = await manager.update(User, whereSameEmail(user), { email: user.email });
  if (affected !== 1) return null;
  await manager.delete(MailToken, { userId: user.id, purpose });
  const token = newToken();
  const expiresAt = new Date(Date.now() + LIFETIME_MS[purpose]);
  await manager.insert(MailToken, {
    tokenHash: hashToken(token),
    userId: user.id,
    purpose,
    email,
    expiresAt,
  });
  return token;
}

/** Matches the user's row only while it has the address that was read before. */
export function whereSameEmail({ id, email }: Pick<User, 'id' | 'email'>) {
  return { id, email: email ?? IsNull() };
}

/**
 * Finds the row of a token that has not expired.
 * @throws {ValidationFailedError} naming `token`
 */
export async function getMailToken(
  manager: EntityManager,
  token: string,
  purpose: Purpose,
): Promise<MailToken & { user: User }> {
  const where = { tokenHash: hashToken(token), purpose, expiresAt: MoreThan(new Date()) };
  const found = await manager.findOne(MailToken, { where, relations: { user: true } });
  if (!found) throw invalidMailToken();
  return found as MailToken & { user: User };
}

/** @returns false if the token was used or cancelled meanwhile */
export async function redeemMailToken(
  manager: EntityManager,
  { tokenHash, purpose }: MailToken,
): Promise<boolean> {
  const { affected } = await manager.delete(MailToken, { tokenHash, purpose });
  return affected === 1;
}

/** Cancels all tokens of a user: after a reset, a changed password or a changed email address. */
export async function cancelMailTokens(manager: EntityManager, userId: number): Promise<void> {
  await manager.delete(MailToken, { userId });
}

export const invalidMailToken = () =>
  invalidField('token', 'Must be a token from a mail that was not used and has not expired.');
