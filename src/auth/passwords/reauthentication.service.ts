import { Injectable } from '@nestjs/common';
import { AuditLog } from '../../common/logging/audit-log.js';
import type { Actor } from '../actor.js';
import { reauthenticationRequired, wrongPassword } from '../auth.errors.js';
import { PasswordVerificationService } from './password-verification.service.js';

const FRESH_LOGIN_MS = 15 * 60_000;

/** What is worth stealing a session for needs the password again. */
@Injectable()
export class ReauthenticationService {
  constructor(
    private readonly verification: PasswordVerificationService,
    private readonly audit: AuditLog,
  ) {}

  /**
   * A young login's password was given a moment ago. Where one is given again, it counts all the same.
   * @throws {ProblemError} `reauthentication_required`, `wrong_password`
   */
  async requireUnlessFresh(actor: Actor, password: string | undefined): Promise<void> {
    if (password !== undefined) return this.require(actor, password);
    const age = Date.now() - actor.session.createdAt.getTime();
    if (age >= FRESH_LOGIN_MS) throw reauthenticationRequired();
  }

  /**
   * Failures count by session: who stole one can neither guess for long nor spend the owner's budget.
   * @throws {ProblemError} `wrong_password`
   */
  async require(actor: Actor, password: string): Promise<void> {
    const budget = `session ${actor.sessionId}`;
    if (await this.verification.verify(password, actor.user.passwordHash, budget, actor)) return;
    this.audit.record('reauthentication.failed', actor);
    throw wrongPassword();
  }
}
