import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { transaction } from '../../database/retry.js';
import { secondFactorMail } from '../../mail/mail-templates.js';
import type { Actor } from '../actor.js';
import { noTotpPending } from '../auth.errors.js';
import { AccountMails } from '../mails/account-mails.service.js';
import { requireSession } from '../sessions/require-session.js';
import { deleteOtherSessions, SessionsService } from '../sessions/sessions.service.js';
import { User } from '../users/user.entity.js';
import { issueRecoveryCodes } from './recovery-codes.js';
import { SecondFactorService } from './second-factor.service.js';
import { TotpSecret } from './totp-secret.entity.js';
import type { ConfirmTotpDto, RecoveryCodesDto } from './totp.dto.js';

@Injectable()
export class TotpActivationService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly secondFactor: SecondFactorService,
    private readonly sessions: SessionsService,
    private readonly mails: AccountMails,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Requires the second factor from now on, and ends every other session.
   * @throws {ConflictError} `no_totp_pending`
   * @throws {ProblemError} 403 `wrong_code`
   */
  async confirm(actor: Actor, { code }: ConfirmTotpDto): Promise<RecoveryCodesDto> {
    const { user, userId } = actor;
    const pending = await this.dataSource.manager.findOneBy(TotpSecret, { userId });
    if (!pending || user.secondFactor) throw noTotpPending();
    const step = await this.secondFactor.requirePending(actor, pending, code);
    const { ended, recovery_codes } = await transaction(this.dataSource, async (manager) => {
      const activated = await activate(manager, actor, pending, step);
      await this.mails.addNotice(manager, user, (to) => secondFactorMail(to, 'on', actor.client.language));
      return activated;
    });
    this.audit.record('totp.enabled', actor);
    this.sessions.reportRevoked(userId, ended, actor.address);
    return { recovery_codes };
  }
}

/** Fails if the secret was confirmed or replaced, or the session was ended, after the code was verified. */
async function activate(
  manager: EntityManager,
  { user, session }: Actor,
  { userId, encryptedSecret }: TotpSecret,
  step: number,
): Promise<{ ended: number[]; recovery_codes: string[] }> {
  const flag = await manager.update(User, { id: userId, secondFactor: false }, { secondFactor: true });
  const secret = await manager.update(TotpSecret, { userId, encryptedSecret }, { usedSteps: String(step) });
  if (flag.affected !== 1 || secret.affected !== 1) throw noTotpPending();
  await requireSession(manager, session);
  const recovery_codes = await issueRecoveryCodes(manager, user.id);
  return { ended: await deleteOtherSessions(manager, session), recovery_codes };
}
