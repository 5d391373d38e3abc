import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { AuditLog, type AuditAction, type AuditSubject } from '../../audit/audit-log.js';
import { transaction } from '../../database/retry.js';
import type { Mail } from '../../mail/mail.js';
import { AccountMails } from '../mails/account-mails.service.js';
import { cancelMailTokens } from '../mails/mail-tokens.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { whereUnchanged } from '../sessions/unchanged-password.js';
import { User } from '../users/user.entity.js';
import { refuseGuessablePassword } from './password-rules.js';
import { PasswordService } from './password.service.js';

interface Replacement {
  /** As read before the caller was authenticated. */
  user: User;
  password: string;
  event: Extract<AuditAction, 'password.changed' | 'password.reset'>;
  subject: AuditSubject & { address: string };
  notice: (to: string) => Mail;
}

/** Replaces a user's password, cancels all mailed tokens, ends sessions and mails a notice. */
@Injectable()
export class PasswordReplacementService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly passwords: PasswordService,
    private readonly sessions: SessionsService,
    private readonly mails: AccountMails,
    private readonly audit: AuditLog,
  ) {}

  /**
   * @param endSessions runs in the transaction and returns the ids of the ended sessions; throws to undo it.
   *   `isReplaced` is false if the password was changed meanwhile
   * @throws {ValidationFailedError} naming `password` if it is guessable
   */
  async replace(
    { user, password, event, subject, notice }: Replacement,
    endSessions: (manager: EntityManager, isReplaced: boolean) => Promise<number[]>,
  ): Promise<void> {
    await refuseGuessablePassword(password, user);
    const passwordHash = await this.passwords.hash(password);
    const ended = await transaction(this.dataSource, async (manager) => {
      const { affected } = await manager.update(User, whereUnchanged(user), { passwordHash });
      const ids = await endSessions(manager, affected === 1);
      await cancelMailTokens(manager, user.id);
      await this.mails.addNotice(manager, user, notice);
      return ids;
    });
    this.audit.record(event, subject);
    this.sessions.reportRevoked(user.id, ended, subject.address);
  }
}
