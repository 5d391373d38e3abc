import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { passwordChangedMail } from '../../mail/mail-templates.js';
import type { Actor } from '../actor.js';
import type { ChangePasswordDto } from '../auth.dto.js';
import { wrongPassword } from '../auth.errors.js';
import { requireSession } from '../sessions/require-session.js';
import type { Session } from '../sessions/session.entity.js';
import { deleteOtherSessions } from '../sessions/sessions.service.js';
import { PasswordReplacementService } from './password-replacement.service.js';
import { ReauthenticationService } from './reauthentication.service.js';

@Injectable()
export class PasswordChangeService {
  constructor(
    private readonly reauthentication: ReauthenticationService,
    private readonly replacement: PasswordReplacementService,
  ) {}

  /** Ends every other session. */
  async change(actor: Actor, dto: ChangePasswordDto): Promise<void> {
    await this.reauthentication.requireUnlessFresh(actor, dto.current_password);
    const { user, session, client } = actor;
    const notice = (to: string) => passwordChangedMail(to, client.language);
    await this.replacement.replace(
      { user, password: dto.password, event: 'password.changed', subject: actor, notice },
      (manager, isReplaced) => endOthers(manager, session, isReplaced),
    );
  }
}

/** Fails if the password was changed or the session was ended while the new password was hashed. */
async function endOthers(manager: EntityManager, session: Session, isReplaced: boolean): Promise<number[]> {
  await requireSession(manager, session);
  if (!isReplaced) throw wrongPassword();
  return deleteOtherSessions(manager, session);
}
