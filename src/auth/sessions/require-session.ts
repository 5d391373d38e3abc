import type { EntityManager } from 'typeorm';
import { revokedToken } from '../auth.errors.js';
import { Session } from './session.entity.js';

/**
 * Undoes a change of credentials whose session was ended after the request was authenticated, such as while its password
 * was verified. Call it in the change's transaction, after a statement that locks the user's row.
 * @throws {UnauthenticatedError} `token_revoked`
 */
export async function requireSession(manager: EntityManager, { id }: Session): Promise<void> {
  if (!(await manager.existsBy(Session, { id }))) throw revokedToken();
}
