import { Injectable } from '@nestjs/common';
import { AuditLog } from '../../common/logging/audit-log.js';
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
    if (password !== undefined) return this.require(actor, password);
    const age = Date.now() - actor.session.createdAt.getTime();
    if (age >= FRESH_LOGIN_MS) throw reauthenticationRequired();
  }

  /**
   * Counts failures by session: guesses with a stolen session are limited and do not lock the owner out.
   * @throws {ProblemError} `wrong_password`
   */
  async require(actor: Actor, password: string): Promise<void> {
    const budget = `session ${actor.sessionId}`;
    if (await this.verification.verify(password, actor.user.passwordHash, budget, actor)) return;
    this.audit.record('reauthentication.failed', actor);
    throw wrongPassword();
  }
}
