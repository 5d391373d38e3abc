import { type FindOptionsWhere, IsNull } from 'typeorm';
import type { User } from '../users/user.entity.js';

/** Matches the user's row only while it has the password that was read before: updating by it locks the row. */
export function whereUnchanged({ id, passwordHash }: User): FindOptionsWhere<User> {
  return { id, passwordHash: passwordHash ?? IsNull() };
}
