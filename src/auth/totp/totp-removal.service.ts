import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { transaction } from '../../database/retry.js';
import type { MailLanguage } from '../../mail/mail.js';
import { secondFactorMail } from '../../mail/mail-templates.js';
import type { Actor } from '../actor.js';
import { totpInactive } from '../auth.errors.js';
import { AccountMails } from '../mails/account-mails.service.js';
import { ReauthenticationService } from '../passwords/reauthentication.service.js';
import { requireSession } from '../sessions/require-session.js';
import type { Session } from '../sessions/session.entity.js';
import { User } from '../users/user.entity.js';
import { RecoveryCode } from './recovery-code.entity.js';
import { SecondFactorService } from './second-factor.service.js';
import { TotpSecret } from './totp-secret.entity.js';
import type { RemoveTotpDto } from './totp.dto.js';

/** Turns the second factor off. */
@Injectable()
export class TotpRemovalService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly reauthentication: ReauthenticationService,
    private readonly secondFactor: SecondFactorService,
    private readonly mails: AccountMails,
    private readonly audit: AuditLog,
  ) {}

  /**
   * @throws {ConflictError} `totp_inactive`
   * @throws {ProblemError} 403 `wrong_password`, `wrong_code`
   */
  async remove(actor: Actor, dto: RemoveTotpDto): Promise<void> {
    await this.reauthentication.require(actor, dto.current_password);
    if (!actor.user.secondFactor) throw totpInactive();
    await this.secondFactor.require(actor, dto.code);
    await this.removeOf(actor.user, actor.client.language, actor.session);
    this.audit.record('totp.removed', actor);
  }

  /**
   * Removes it without a code, for an administrator. Does nothing if it is off. The caller records the event.
   * @param session of the user, if the user removes it
   * @throws {UnauthenticatedError} `token_revoked` if the session has ended
   */
  async removeOf(user: User, language: MailLanguage, session?: Session): Promise<void> {
    await transaction(this.dataSource, async (manager) => {
      const wasOn = await deleteSecondFactor(manager, user.id);
      if (session) await requireSession(manager, session);
      if (wasOn) await this.mails.addNotice(manager, user, (to) => secondFactorMail(to, 'off', language));
    });
  }
}

/** @returns whether it was on */
async function deleteSecondFactor(manager: EntityManager, userId: number): Promise<boolean> {
  const active = { id: userId, secondFactor: true };
  const { affected } = await manager.update(User, active, { secondFactor: false });
  await manager.delete(TotpSecret, { userId });
  await manager.delete(RecoveryCode, { userId });
  return affected === 1;
}
