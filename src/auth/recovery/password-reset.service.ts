import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { passwordWasResetMail } from '../../mail/mail-templates.js';
import type { ClientInfo } from '../client-info.decorator.js';
import type { MailToken } from '../mails/mail-token.entity.js';
import { getMailToken, invalidMailToken, redeemMailToken } from '../mails/mail-tokens.js';
import { PasswordReplacementService } from '../passwords/password-replacement.service.js';
import { deleteSessionsOf } from '../sessions/sessions.service.js';
import { User } from '../users/user.entity.js';
import type { ResetPasswordDto } from './recovery.dto.js';

/** Sets a new password with a token that was mailed. */
@Injectable()
export class PasswordResetService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly replacement: PasswordReplacementService,
  ) {}

  /**
   * Ends every session, cancels every mailed token of the user and verifies the address.
   * @throws {ValidationFailedError} names `token` if it is wrong, used or expired, `password` if it is guessable
   */
  async reset({ token, password }: ResetPasswordDto, { address, language }: ClientInfo): Promise<void> {
    const found = await getMailToken(this.dataSource.manager, token, 'reset');
    const { user, userId } = found;
    const notice = (to: string) => passwordWasResetMail(to, language);
    await this.replacement.replace(
      { user, password, event: 'password.reset', subject: { userId, address }, notice },
      (manager, isReplaced) => redeem(manager, found, isReplaced),
    );
  }
}

/**
 * Of simultaneous resets, on any node, the one whose update finds the password unchanged succeeds.
 * @returns the ids of the ended sessions
 */
async function redeem(manager: EntityManager, found: MailToken, isReplaced: boolean): Promise<number[]> {
  if (!isReplaced || !(await redeemMailToken(manager, found))) throw invalidMailToken();
  const { userId, email } = found;
  if (email !== null) await manager.update(User, { id: userId, email }, { emailVerified: true });
  return deleteSessionsOf(manager, userId);
}
