import { Injectable } from '@nestjs/common';
import { invalidField } from '../../common/errors/errors.js';
import { AuditLog } from '../../audit/audit-log.js';
import type { Actor } from '../actor.js';
import { reauthenticationRequired, wrongPassword } from '../auth.errors.js';
import { PasswordVerificationService } from './password-verification.service.js';

const FRESH_LOGIN_MS = 15 * 60_000;

/** Requires the password again for sensitive changes, so that a stolen session is not enough. */
@Injectable()
export class ReauthenticationService {
  constructor(
    private readonly verification: PasswordVerificationService,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Accepts a missing password within 15 minutes of the login. A password that is sent is always verified.
   * @throws {ProblemError} `reauthentication_required`, `wrong_password`
   */
  async requireUnlessFresh(actor: Actor, password: string | undefined): Promise<void> {
    if (password === undefined) return assertFresh(actor);
    return this.require(actor, password);
  }

  /**
   * Requires a recent login of a user without a password, and ignores a password that is sent. Counts failures by
   * session: guesses with a stolen session are limited and do not lock the owner out.
   * @throws {ValidationFailedError} naming `current_password` if it is missing
   * @throws {ProblemError} `wrong_password`, `reauthentication_required`
   */
  async require(actor: Actor, password: string | undefined): Promise<void> {
    const { passwordHash } = actor.user;
    if (passwordHash === null) return assertFresh(actor);
    if (password === undefined) throw invalidField('current_password', 'Must be the current password.');
    const budget = `session ${actor.sessionId}`;
    if (await this.verification.verify(password, passwordHash, budget, actor)) return;
    this.audit.record('reauthentication.failed', actor);
    throw wrongPassword();
  }
}

function assertFresh({ session, user }: Actor): void {
  const age = Date.now() - session.createdAt.getTime();
  if (age >= FRESH_LOGIN_MS) throw reauthenticationRequired(user.passwordHash !== null);
}
