import { Injectable } from '@nestjs/common';
import { AuditLog, type AuditSubject } from '../../common/logging/audit-log.js';
import { RateLimits } from '../../throttling/rate-limits.js';
import { PasswordService } from './password.service.js';

/** Lets a password be tried, but not often. */
@Injectable()
export class PasswordVerificationService {
  constructor(
    private readonly passwords: PasswordService,
    private readonly limits: RateLimits,
    private readonly audit: AuditLog,
  ) {}

  /**
   * The budget is taken before the try, so that many at once cannot overdraw it.
   * @param hash undefined where there is no such user
   * @param budget whose failures are counted together
   * @param subject who is named in the audit trail, where there were too many
   * @throws {RateLimitedError} after too many failures, also for the right password
   * @throws {UnavailableError} when too many hashings wait
   */
  async verify(
    password: string,
    hash: string | undefined,
    budget: string,
    subject: AuditSubject,
  ): Promise<boolean> {
    await this.consumeAttempt(budget, subject);
    let wrong = false;
    try {
      wrong = !(await this.passwords.verify(hash, password));
      return !wrong;
    } finally {
      // Only a wrong password counts: neither a right one, nor one that could not be looked at.
      if (!wrong) await this.limits.refund('failed_login', budget);
    }
  }

  private async consumeAttempt(budget: string, subject: AuditSubject): Promise<void> {
    try {
      await this.limits.consume('failed_login', budget);
    } catch (error) {
      this.audit.record('guessing.limited', subject);
      throw error;
    }
  }
}
