import type { EntityManager } from 'typeorm';
import { emailKey } from '../../common/text/email-key.js';
import { isDuplicateKey } from '../../database/retry.js';
import { emailTaken, usernameTaken } from '../auth.errors.js';
import { User } from './user.entity.js';

type UniqueNames = Partial<Record<'usernameKey' | 'email' | 'emailKey', string>>;

export type EmailColumns = Pick<Required<UniqueNames>, 'email' | 'emailKey'>;

/** @param email a valid address */
export const emailColumns = (email: string): EmailColumns => ({ email, emailKey: emailKey(email)! });

/**
 * Writes names. A violated unique key decides between simultaneous claims.
 * @throws {ConflictError} `username_taken`, `email_taken`
 */
export async function writeUnique<T>(
  manager: EntityManager,
  names: UniqueNames,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (isDuplicateKey(error)) await assertNotTaken(manager, names);
    throw error;
  }
}

/** @throws {ConflictError} `username_taken`, `email_taken` */
export async function assertNotTaken(
  manager: EntityManager,
  { usernameKey, emailKey }: UniqueNames,
): Promise<void> {
  if (usernameKey !== undefined && (await manager.existsBy(User, { usernameKey }))) throw usernameTaken();
  if (emailKey !== undefined && (await manager.existsBy(User, { emailKey }))) throw emailTaken();
}
