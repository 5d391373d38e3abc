import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { keysOf } from '../common/text/email-key.js';
import { addressKey } from '../throttling/address-key.js';
import type { LoginDto } from './auth.dto.js';
import { wrongCredentials } from './auth.errors.js';
import type { ClientInfo } from './client-info.decorator.js';
import { PasswordVerificationService } from './passwords/password-verification.service.js';
import { KnownAddress } from './sessions/known-address.entity.js';
import { failedLoginBudget } from './sessions/known-addresses.js';
import { SignInService } from './sign-in.service.js';
import type { TokenPairDto } from './tokens/token-pair.dto.js';
import { User } from './users/user.entity.js';

interface LoginTarget {
  /** Null if no account has the email address. */
  user: User | null;
  /** Key of the budget of failed logins. */
  budget: string;
}

@Injectable()
export class LoginService {
  constructor(
    @InjectRepository(User) private readonly users: Repository<User>,
    private readonly verification: PasswordVerificationService,
    private readonly signIns: SignInService,
    private readonly audit: AuditLog,
  ) {}

  /**
   * An unknown email and a wrong password give the same error after the same time.
   * @throws {UnauthenticatedError} `unauthenticated`, `second_factor_required`, `wrong_code`
   */
  async logIn({ email, password, code }: LoginDto, client: ClientInfo): Promise<TokenPairDto> {
    const { user, budget } = await this.findTarget(email, client);
    const subject = { userId: user?.id, address: client.address };
    const isRight = await this.verification.verify(password, user?.passwordHash, budget, subject);
    if (user && isRight) {
      const hash = await this.verification.upgradeHash(user.passwordHash!, password);
      return this.signIns.signIn(user, { code, client, passwordHash: hash });
    }
    this.audit.record('login.failed', subject);
    throw wrongCredentials();
  }

  /** Runs one query, whether or not the account exists. */
  private async findTarget(email: string, client: ClientInfo): Promise<LoginTarget> {
    const address = addressKey(client.address);
    const keys = keysOf(email);
    const { entities, raw } = await this.users
      .createQueryBuilder('user')
      .leftJoin(KnownAddress, 'known', 'known.userId = user.id AND known.address = :address', { address })
      .addSelect('known.address', 'known_address')
      .where('user.emailKey IN (:...keys)', { keys })
      .orderBy('user.emailKey') // an exact key: keys[1] begins with a space and sorts first
      .limit(1)
      .getRawAndEntities<{ known_address: string | null }>();
    return {
      user: entities[0] ?? null,
      budget: failedLoginBudget(keys[1], address, Boolean(raw[0]?.known_address)),
    };
  }
}
