import { Injectable } from '@nestjs/common';
import type { AuditSubject } from '../../audit/audit-log.js';
import { GuessLimiter } from './guess-limiter.js';
import { PasswordService } from './password.service.js';

/** Verifies passwords within a budget of failures. */
@Injectable()
export class PasswordVerificationService {
  constructor(
    private readonly passwords: PasswordService,
    private readonly guesses: GuessLimiter,
  ) {}

  /**
   * @param hash null or undefined if there is no such user, or no password
   * @param budget key of the budget in which failures are counted
   * @param subject recorded in the audit log when the budget is spent
   * @throws {RateLimitedError} after too many failures, also for the right password
   * @throws {UnavailableError} when too many passwords wait to be hashed
   */
  verify(
    password: string,
    hash: string | null | undefined,
    budget: string,
    subject: AuditSubject,
  ): Promise<boolean> {
    return this.guesses.attempt('failed_login', budget, subject, () =>
      this.passwords.verify(hash ?? undefined, password),
    );
  }

  /** Returns the hash, or a new one if its parameters are outdated. */
  async upgradeHash(hash: string, password: string): Promise<string> {
    return this.passwords.isOutdated(hash) ? this.passwords.hash(password) : hash;
  }
}
