import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, EntityManager } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { transaction } from '../../database/retry.js';
import type { Actor } from '../actor.js';
import type { ChangePasswordDto } from '../auth.dto.js';
import { revokedToken, wrongPassword } from '../auth.errors.js';
import { refuseGuessablePassword } from './password-rules.js';
import { PasswordService } from './password.service.js';
import { ReauthenticationService } from './reauthentication.service.js';
import { Session } from '../sessions/session.entity.js';
import { deleteOthers, SessionsService } from '../sessions/sessions.service.js';
import { whereUnchanged } from '../sessions/unchanged-password.js';
import { cancelMailTokens } from '../mails/mail-tokens.js';
import { User } from '../users/user.entity.js';

@Injectable()
export class PasswordChangeService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly passwords: PasswordService,
    private readonly reauthentication: ReauthenticationService,
    private readonly sessions: SessionsService,
    private readonly audit: AuditLog,
  ) {}

  /** Ends every other session. */
  async change(actor: Actor, dto: ChangePasswordDto): Promise<void> {
    await this.reauthentication.requireUnlessFresh(actor, dto.current_password);
    await refuseGuessablePassword(dto.password, actor.user);
    const hash = await this.passwords.hash(dto.password);
    const ended = await transaction(this.dataSource, (manager) => replacePassword(manager, actor, hash));
    this.audit.record('password.changed', actor);
    this.sessions.reportRevoked(actor.userId, ended, actor.address);
  }
}

/**
 * Fails if the password was changed or the session was ended while the new password was hashed.
 * @returns the ids of the ended sessions
 */
async function replacePassword(
  manager: EntityManager,
  { user, session }: Actor,
  passwordHash: string,
): Promise<number[]> {
  const { affected } = await manager.update(User, whereUnchanged(user), { passwordHash });
  if (!(await manager.existsBy(Session, { id: session.id }))) throw revokedToken();
  if (affected !== 1) throw wrongPassword();
  await cancelMailTokens(manager, user.id);
  return deleteOthers(manager, session);
}
