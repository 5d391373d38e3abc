import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { foldText } from '../../common/text/fold-text.js';
import { transaction } from '../../database/retry.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { redeemInvitation } from '../invitations/admission.service.js';
import type { Invitation } from '../invitations/invitation.entity.js';
import { AccountMails } from '../mails/account-mails.service.js';
import { emailColumns, writeUnique } from './unique-names.js';
import { UserRecords } from './user-records.service.js';
import { User } from './user.entity.js';

export interface NewUser extends Pick<User, 'username' | 'email' | 'emailVerified' | 'passwordHash'> {
  /** Redeemed with the creation. */
  invitation: Invitation | null;
  /** Runs in the same transaction. */
  also?: (manager: EntityManager, user: User) => Promise<unknown>;
}

/**
 * Stores new users, who have registered or signed in by an identity provider, and mails them a link that verifies their
 * address.
 */
@Injectable()
export class UserCreationService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly records: UserRecords,
    private readonly mails: AccountMails,
    private readonly audit: AuditLog,
  ) {}

  /**
   * @throws {ConflictError} `username_taken`, `email_taken`
   * @throws {ValidationFailedError} naming `invitation` if it was used meanwhile
   */
  async create({ invitation, also, ...fields }: NewUser, client: ClientInfo): Promise<User> {
    const { username, email } = fields;
    const names = { usernameKey: foldText(username), ...(email !== null && emailColumns(email)) };
    const user = await writeUnique(this.dataSource.manager, names, () =>
      transaction(this.dataSource, async (manager) => {
        const user = manager.create(User, { ...DEFAULTS, ...fields, ...names, createdAt: new Date() });
        await this.records.insert(manager, user);
        await redeemInvitation(manager, invitation, user.id);
        await also?.(manager, user);
        return user;
      }),
    );
    this.audit.record('user.registered', { userId: user.id, address: client.address });
    if (email !== null && !user.emailVerified && this.mails.verification !== 'off')
      await this.mails.addVerification(user, client.language);
    return user;
  }
}

const DEFAULTS = {
  emailKey: null,
  secondFactor: false,
  role: 'user',
  disabledAt: null,
  lastSeenAt: null,
  bytesUsed: 0,
  conversationCount: 0,
  archivedCount: 0,
} satisfies Partial<User>;
