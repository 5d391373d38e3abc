import type { EntityManager } from 'typeorm';
import { Deployment } from '../../database/deployment.entity.js';
import { User } from '../users/user.entity.js';
import { lastAdmin } from '../auth.errors.js';
import type { Roles } from './roles.service.js';

/**
 * Serializes the changes that can leave no administrator, on all nodes, until the transaction ends. Call it before
 * other statements: it locks the one row of `deployment`.
 */
export async function lockAdmins(manager: EntityManager): Promise<void> {
  await manager
    .createQueryBuilder()
    .update(Deployment)
    .set({ id: () => 'id' })
    .execute();
}

/** @throws {ConflictError} `last_admin` if the user is the only enabled administrator, granted or by ADMIN_EMAILS */
export async function refuseLastAdmin(manager: EntityManager, roles: Roles, userId: number): Promise<void> {
  const query = manager.createQueryBuilder(User, 'user').where('user.disabledAt IS NULL').limit(2);
  roles.filter(query, 'admin');
  const admins = await query.getMany();
  if (admins.length === 1 && admins[0]!.id === userId) throw lastAdmin();
}
