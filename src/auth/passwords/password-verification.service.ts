import { Injectable } from '@nestjs/common';
import { AuditLog, type AuditSubject } from '../../audit/audit-log.js';
import { RateLimits } from '../../throttling/rate-limits.js';
import { PasswordService } from './password.service.js';

/** Verifies passwords within a budget of failures. */
@Injectable()
export class PasswordVerificationService {
  constructor(
    private readonly passwords: PasswordService,
    private readonly limits: RateLimits,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Consumes the budget before verifying, so that concurrent attempts cannot exceed it.
   * @param hash null or undefined if there is no such user, or no password
   * @param budget key of the budget in which failures are counted
   * @param subject recorded in the audit log when the budget is spent
   * @throws {RateLimitedError} after too many failures, also for the right password
   * @throws {UnavailableError} when too many passwords wait to be hashed
   */
  async verify(
    password: string,
    hash: string | null | undefined,
    budget: string,
    subject: AuditSubject,
  ): Promise<boolean> {
    await this.consumeAttempt(budget, subject);
    let isWrong = false;
    try {
      isWrong = !(await this.passwords.verify(hash ?? undefined, password));
      return !isWrong;
    } finally {
      // Only wrong passwords count: neither right ones nor attempts that could not be verified.
      if (!isWrong) await this.limits.refund('failed_login', budget);
    }
  }

  /** Returns the hash, or a new one if its parameters are outdated. */
  async upgradeHash(hash: string, password: string): Promise<string> {
    return this.passwords.isOutdated(hash) ? this.passwords.hash(password) : hash;
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
