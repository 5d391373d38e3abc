import { Injectable } from '@nestjs/common';
import type { SelectQueryBuilder } from 'typeorm';
import { emailKey } from '../../common/text/email-key.js';
import { Settings } from '../../env/settings.js';
import type { User, UserRole } from '../users/user.entity.js';

/** Determines which users are administrators. */
@Injectable()
export class Roles {
  private readonly adminEmailKeys: ReadonlySet<string>;

  constructor({ adminEmails }: Settings) {
    this.adminEmailKeys = new Set(adminEmails.map(emailKey).filter((key) => key !== null));
  }

  /** The effective role: granted, or by a verified address in ADMIN_EMAILS. */
  of(user: User): UserRole {
    const byEmail = user.emailVerified && this.adminEmailKeys.has(user.emailKey ?? '');
    return user.role === 'admin' || byEmail ? 'admin' : 'user';
  }

  /** Restricts a query of users, with the alias `user`, to those with the effective role. */
  filter(query: SelectQueryBuilder<User>, role: UserRole): void {
    const keys = [...this.adminEmailKeys];
    const byEmail = keys.length > 0 ? ' OR (user.emailVerified = TRUE AND user.emailKey IN (:...keys))' : '';
    const isAdmin = `(user.role = 'admin'${byEmail})`;
    // An absent email makes the condition NULL.
    query.andWhere(role === 'admin' ? isAdmin : `COALESCE(NOT ${isAdmin}, TRUE)`, { keys });
  }
}
