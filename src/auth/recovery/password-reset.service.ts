import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { passwordWasResetMail } from '../../mail/mail-templates.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { ExternalIdentity } from '../identities/external-identity.entity.js';
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
   * Ends every session, cancels every mailed token of the user and verifies the address. If it was not verified before,
   * somebody else may have entered it: the identities that sign in to the account are unlinked.
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
  if (email !== null) await verify(manager, userId, email);
  return deleteSessionsOf(manager, userId);
}

async function verify(manager: EntityManager, userId: number, email: string): Promise<void> {
  const unverified = { id: userId, email, emailVerified: false };
  const { affected } = await manager.update(User, unverified, { emailVerified: true });
  if (affected === 1) await manager.delete(ExternalIdentity, { userId });
}
