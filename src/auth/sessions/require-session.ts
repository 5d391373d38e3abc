import type { EntityManager } from 'typeorm';
import { revokedToken } from '../auth.errors.js';
import { Session } from './session.entity.js';

/**
 * Fails if a session was ended after its request was authenticated, such as while the password was verified. To undo a
 * change of credentials, call it in the change's transaction, after a statement that locks the user's row.
 * @throws {UnauthenticatedError} `token_revoked`
 */
export async function requireSession(manager: EntityManager, { id }: Session): Promise<void> {
  if (!(await manager.existsBy(Session, { id }))) throw revokedToken();
}
