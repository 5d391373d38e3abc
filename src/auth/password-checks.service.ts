import { Injectable } from '@nestjs/common';
import { RateLimits } from '../throttling/rate-limits.js';
import { PasswordService } from './password.service.js';

/** Lets a password be tried, but not often. */
@Injectable()
export class PasswordChecks {
  constructor(
    private readonly passwords: PasswordService,
    private readonly limits: RateLimits,
  ) {}

  /**
   * The budget is taken before the try, so that many at once cannot overdraw it.
   * @param hash undefined where there is no such user
   * @param budget whose failures are counted together
   * @throws {RateLimitedError} after too many failures, also for the right password
   * @throws {UnavailableError} when too many hashings wait
   */
  async isRight(password: string, hash: string | undefined, budget: string): Promise<boolean> {
    await this.limits.consume('failed_login', budget);
    let wrong = false;
    try {
      wrong = !(await this.passwords.verify(hash, password));
      return !wrong;
    } finally {
      // Only a wrong password counts: neither a right one, nor one that could not be looked at.
      if (!wrong) await this.limits.giveBack('failed_login', budget);
    }
  }
}
