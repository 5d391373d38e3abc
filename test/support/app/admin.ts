import { User } from '../../../src/auth/users/user.entity.js';
import type { TestApp } from './app.js';
import type { TestUser } from './user.js';

/** Creates a user with the granted role `admin`. */
export async function createAdmin(t: TestApp): Promise<TestUser> {
  const admin = await t.user().create();
  await t.manager.update(User, { id: admin.id }, { role: 'admin' });
  return admin;
}
