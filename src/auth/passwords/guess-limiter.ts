import { Injectable } from '@nestjs/common';
import { AuditLog, type AuditSubject } from '../../audit/audit-log.js';
import type { RateLimitName } from '../../throttling/limits.js';
import { RateLimits } from '../../throttling/rate-limits.js';

/** Checks credentials within a budget of failures. */
@Injectable()
export class GuessLimiter {
  constructor(
    private readonly limits: RateLimits,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Consumes the budget before the check, so that concurrent attempts cannot exceed it.
   * @param budget key of the budget in which failures are counted
   * @param subject recorded in the audit log when the budget is spent
   * @param check resolves to false for a wrong credential
   * @throws {RateLimitedError} after too many failures, also for the right credential
   */
  async attempt(
    limit: RateLimitName,
    budget: string,
    subject: AuditSubject,
    check: () => Promise<boolean>,
  ): Promise<boolean> {
    await this.consumeAttempt(limit, budget, subject);
    let isWrong = false;
    try {
      isWrong = !(await check());
      return !isWrong;
    } finally {
      // Only wrong credentials count: neither right ones nor attempts that could not be checked.
      if (!isWrong) await this.limits.refund(limit, budget);
    }
  }

  private async consumeAttempt(limit: RateLimitName, budget: string, subject: AuditSubject): Promise<void> {
    try {
      await this.limits.consume(limit, budget);
    } catch (error) {
      this.audit.record('guessing.limited', subject);
      throw error;
    }
  }
}
