import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager, MoreThan } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { transaction } from '../../database/retry.js';
import { emailChangedMail } from '../../mail/mail-templates.js';
import type { Actor } from '../actor.js';
import { alreadyVerified, mailNotConfigured } from '../auth.errors.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { AccountMails } from '../mails/account-mails.service.js';
import { MailToken } from '../mails/mail-token.entity.js';
import {
  cancelMailTokens,
  getMailToken,
  invalidMailToken,
  redeemMailToken,
  whereSameEmail,
} from '../mails/mail-tokens.js';
import { emailColumns, writeUnique } from '../users/unique-names.js';
import { User } from '../users/user.entity.js';

/** Verifies email addresses with tokens that were mailed to them. */
@Injectable()
export class EmailVerificationService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly mails: AccountMails,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Mails a new link to the address that waits for verification.
   * @throws {ProblemError} 403 `mail_not_configured`, 409 `already_verified`
   */
  async mailAgain(actor: Actor): Promise<void> {
    const { user } = actor;
    if (!this.mails.isConfigured) throw mailNotConfigured();
    const unverified = user.emailVerified ? null : user.email;
    const address = (await this.findPendingAddress(user)) ?? unverified;
    if (address === null) throw alreadyVerified();
    await this.mails.addPendingVerification(actor, address);
  }

  /**
   * Marks the address as verified. A pending address replaces the user's, which is notified.
   * @throws {ValidationFailedError} naming `token` if it is wrong, used or expired
   * @throws {ConflictError} `email_taken` if another account has the address meanwhile
   */
  async verify(token: string, client: ClientInfo): Promise<void> {
    const found = await getMailToken(this.dataSource.manager, token, 'verification');
    const isChange = found.email !== found.user.email;
    const columns = isChange ? emailColumns(found.email!) : {};
    await writeUnique(this.dataSource.manager, columns, () =>
      transaction(this.dataSource, async (manager) => {
        await redeem(manager, found, columns);
        if (isChange) await this.reportChange(manager, found.user, client);
      }),
    );
    const subject = { userId: found.userId, address: client.address };
    if (isChange) this.audit.record('email.changed', subject);
    this.audit.record('email.verified', subject);
  }

  /** The new address of a change that EMAIL_VERIFICATION=required has postponed. */
  private async findPendingAddress({ id, email }: User): Promise<string | null> {
    const where = { userId: id, purpose: 'verification', expiresAt: MoreThan(new Date()) } as const;
    const token = await this.dataSource.manager.findOneBy(MailToken, where);
    return token && token.email !== email ? token.email : null;
  }

  private async reportChange(manager: EntityManager, user: User, { language }: ClientInfo): Promise<void> {
    await cancelMailTokens(manager, user.id);
    await this.mails.addNotice(manager, user, (to) => emailChangedMail(to, language));
  }
}

/** Of simultaneous requests with one token, on any node, one succeeds. */
async function redeem(
  manager: EntityManager,
  found: MailToken & { user: User },
  columns: Partial<User>,
): Promise<void> {
  const verified = { ...columns, emailVerified: true };
  const { affected } = await manager.update(User, whereSameEmail(found.user), verified);
  if (affected !== 1 || !(await redeemMailToken(manager, found))) throw invalidMailToken();
}
