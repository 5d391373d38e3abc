import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { invalidField } from '../../common/errors/errors.js';
import { AuditLog } from '../../audit/audit-log.js';
import { transaction } from '../../database/retry.js';
import { MailQueue } from '../../mail/mail-queue.service.js';
import { passwordWasResetMail } from '../../mail/mail-templates.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { refuseGuessablePassword } from '../passwords/password-rules.js';
import { PasswordService } from '../passwords/password.service.js';
import { deleteAllOf, SessionsService } from '../sessions/sessions.service.js';
import { whereUnchanged } from '../sessions/unchanged-password.js';
import { User } from '../users/user.entity.js';
import { cancelMailTokens, findMailToken } from '../mails/mail-tokens.js';
import { MailToken } from '../mails/mail-token.entity.js';
import type { ResetPasswordDto } from './recovery.dto.js';

/** Sets a new password with a token that was mailed. */
@Injectable()
export class PasswordResetService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly passwords: PasswordService,
    private readonly sessions: SessionsService,
    private readonly mails: MailQueue,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Ends every session and cancels every mailed token of the user.
   * @throws {ValidationFailedError} names `token` if it is wrong, used or expired, `password` if it is guessable
   */
  async reset(dto: ResetPasswordDto, client: ClientInfo): Promise<void> {
    const { manager } = this.dataSource;
    const found = await findMailToken(manager, dto.token, 'reset');
    if (!found) throw invalidToken();
    await refuseGuessablePassword(dto.password, found.user!);
    const hash = await this.passwords.hash(dto.password);
    const ended = await transaction(this.dataSource, async (manager) => {
      const sessions = await replacePassword(manager, found, hash);
      await this.mails.add(manager, found.userId, passwordWasResetMail(found.user!.email!, client.language));
      return sessions;
    });
    this.mails.wake();
    this.audit.record('password.reset', { userId: found.userId, address: client.address });
    this.sessions.reportRevoked(found.userId, ended, client.address);
  }
}

/**
 * Of simultaneous resets, on any node, the one whose update finds the password unchanged succeeds.
 * @returns the ids of the ended sessions
 */
async function replacePassword(
  manager: EntityManager,
  { userId, user, tokenHash, purpose }: MailToken,
  passwordHash: string,
): Promise<number[]> {
  const { affected: changed } = await manager.update(User, whereUnchanged(user!), { passwordHash });
  const { affected: redeemed } = await manager.delete(MailToken, { tokenHash, purpose });
  if (changed !== 1 || redeemed !== 1) throw invalidToken();
  await cancelMailTokens(manager, userId);
  return deleteAllOf(manager, userId);
}

const invalidToken = () =>
  invalidField('token', 'Must be a token from a mail that was not used and has not expired.');
