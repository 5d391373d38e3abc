import { type EntityManager, In } from 'typeorm';
import { keysOf } from '../../common/text/email-key.js';
import { User } from './user.entity.js';

/** Finds the user with an email address in any spelling; an older account with exactly this spelling comes first. */
export async function findByEmail(manager: EntityManager, email: string): Promise<User | undefined> {
  const keys = In(keysOf(email));
  // An exact key begins with a space and sorts first.
  const [user] = await manager.find(User, { where: { emailKey: keys }, order: { emailKey: 'ASC' }, take: 1 });
  return user;
}
