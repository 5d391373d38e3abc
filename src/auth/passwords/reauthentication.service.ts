import { Injectable } from '@nestjs/common';
import { AuditLog } from '../../common/logging/audit-log.js';
import { reauthenticationRequired, wrongPassword } from '../auth.errors.js';
import type { ClientInfo } from '../client-info.decorator.js';
import type { Identity } from '../identity.js';
import { PasswordVerificationService } from './password-verification.service.js';

const FRESH_LOGIN_MS = 15 * 60_000;

/** What is worth stealing a session for needs the password again. */
@Injectable()
export class ReauthenticationService {
  constructor(
    private readonly checks: PasswordVerificationService,
    private readonly audit: AuditLog,
  ) {}

  /**
   * A young login's password was given a moment ago. Where one is given again, it counts all the same.
   * @throws {ProblemError} `reauthentication_required`, `wrong_password`
   */
  async requireUnlessFresh(
    identity: Identity,
    password: string | undefined,
    client: ClientInfo,
  ): Promise<void> {
    if (password !== undefined) return this.require(identity, password, client);
    const age = Date.now() - identity.session.createdAt.getTime();
    if (age >= FRESH_LOGIN_MS) throw reauthenticationRequired();
  }

  /**
   * Failures count by session: who stole one can neither guess for long nor spend the owner's budget.
   * @throws {ProblemError} `wrong_password`
   */
  async require({ user, session }: Identity, password: string, { address }: ClientInfo): Promise<void> {
    const subject = { userId: user.id, sessionId: session.id, address };
    if (await this.checks.verify(password, user.passwordHash, `session ${session.id}`, subject)) return;
    this.audit.record('reauthentication.failed', subject);
    throw wrongPassword();
  }
}
