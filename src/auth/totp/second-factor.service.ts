import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AuditLog, type AuditSubject } from '../../audit/audit-log.js';
import type { Actor } from '../actor.js';
import { secondFactorRequired, wrongCode, wrongLoginCode } from '../auth.errors.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { GuessLimiter } from '../passwords/guess-limiter.js';
import { failedLoginBudgetOf } from '../sessions/known-addresses.js';
import type { User } from '../users/user.entity.js';
import { redeemRecoveryCode } from './recovery-codes.js';
import { TotpSecret } from './totp-secret.entity.js';
import { TotpSecrets } from './totp-secrets.service.js';
import { canonicalizeCode, TOLERANCE_STEPS } from './totp-code.js';

/** Verifies codes of authenticator apps and recovery codes, within a budget of failures. Each is accepted once. */
@Injectable()
export class SecondFactorService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly secrets: TotpSecrets,
    private readonly guesses: GuessLimiter,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Call it only after the password or the identity token was verified.
   * @throws {UnauthenticatedError} `second_factor_required`, `wrong_code`
   * @throws {RateLimitedError} after too many failures, also for the right code
   */
  async requireAtLogin(user: User, code: string | undefined, client: ClientInfo): Promise<void> {
    if (!user.secondFactor) return;
    const subject = { userId: user.id, address: client.address };
    if (code === undefined) {
      this.audit.record('totp.required', subject);
      throw secondFactorRequired();
    }
    const budget = await failedLoginBudgetOf(this.dataSource.manager, user, client.address);
    if (await this.isRight(subject, budget, () => this.redeem(subject, code))) return;
    this.audit.record('login.failed', subject);
    throw wrongLoginCode();
  }

  /**
   * Counts failures by session, as `ReauthenticationService` does.
   * @throws {ProblemError} 403 `wrong_code`
   */
  async require(actor: Actor, code: string): Promise<void> {
    const isRight = () => this.redeem(actor, code);
    if (!(await this.isRight(actor, `session ${actor.sessionId}`, isRight))) throw wrongCode();
  }

  /**
   * Verifies a code of a secret that is not in use yet.
   * @returns the code's time step
   * @throws {ProblemError} 403 `wrong_code`
   */
  async requirePending(actor: Actor, pending: TotpSecret, code: string): Promise<number> {
    const step = await this.secrets.findStep(pending, canonicalizeCode(code));
    const isRight = () => Promise.resolve(step !== null);
    if (!(await this.isRight(actor, `session ${actor.sessionId}`, isRight))) throw wrongCode();
    return step!;
  }

  private async isRight(
    subject: AuditSubject,
    budget: string,
    check: () => Promise<boolean>,
  ): Promise<boolean> {
    const isRight = await this.guesses.attempt('failed_login', budget, subject, () =>
      this.guesses.attempt('wrong_codes', budget, subject, check),
    );
    if (!isRight) this.audit.record('totp.wrong_code', subject);
    return isRight;
  }

  private async redeem(subject: AuditSubject & { userId: number }, code: string): Promise<boolean> {
    const canonicalCode = canonicalizeCode(code);
    if (await this.redeemTotp(subject.userId, canonicalCode)) return true;
    const { manager } = this.dataSource;
    if (!(await redeemRecoveryCode(manager, subject.userId, canonicalCode))) return false;
    this.audit.record('totp.recovery_code_used', subject);
    return true;
  }

  private async redeemTotp(userId: number, canonicalCode: string): Promise<boolean> {
    const row = await this.dataSource.manager.findOneBy(TotpSecret, { userId });
    const step = row && (await this.secrets.findStep(row, canonicalCode));
    if (!row || step === null || isUsed(row, step)) return false;
    // Another code was used meanwhile: verifies again against the changed row.
    return (await this.useStep(row, step)) || this.redeemTotp(userId, canonicalCode);
  }

  /** Of simultaneous uses of a code, on any node, the one whose update finds the used steps unchanged succeeds. */
  private async useStep({ userId, usedSteps }: TotpSecret, step: number): Promise<boolean> {
    const acceptable = stepsOf(usedSteps).filter((other) => other >= step - 2 * TOLERANCE_STEPS);
    const { affected } = await this.dataSource.manager.update(
      TotpSecret,
      { userId, usedSteps },
      { usedSteps: [...acceptable, step].join(' ') },
    );
    return affected === 1;
  }
}

const stepsOf = (usedSteps: string) => usedSteps.split(' ').map(Number);

const isUsed = ({ usedSteps }: TotpSecret, step: number) => stepsOf(usedSteps).includes(step);
