import { Injectable } from '@nestjs/common';
import { emailKey } from '../../common/text/email-key.js';
import { Settings } from '../../env/settings.js';
import type { User, UserRole } from '../users/user.entity.js';

/** Tells users and administrators apart. */
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
}
