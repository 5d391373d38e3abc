import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { accountDisabled, emailUnverified, wrongCredentials } from './auth.errors.js';
import type { ClientInfo } from './client-info.decorator.js';
import { AccountMails } from './mails/account-mails.service.js';
import { SecondFactorService } from './totp/second-factor.service.js';
import { SessionsService } from './sessions/sessions.service.js';
import type { TokenPairDto } from './tokens/token-pair.dto.js';
import { TokensService } from './tokens/tokens.service.js';
import type { User } from './users/user.entity.js';

interface SignIn {
  /** Code of the second factor; required if the user has one. */
  code?: string;
  client: ClientInfo;
  /** Replaces the user's hash, if its parameters were outdated. */
  passwordHash?: string | null;
  /** An identity provider vouches for the person: the address need not be verified. */
  isVouchedFor?: boolean;
}

/** Signs in users whose password or identity token was verified. */
@Injectable()
export class SignInService {
  constructor(
    private readonly secondFactor: SecondFactorService,
    private readonly sessions: SessionsService,
    private readonly tokens: TokensService,
    private readonly mails: AccountMails,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Requires the second factor first, and then what else the account requires.
   * @param user as read before the credential was verified
   * @throws {UnauthenticatedError} `second_factor_required`, `wrong_code`; `unauthenticated` if the password or the
   * second factor was changed or the account deleted meanwhile
   * @throws {ProblemError} `account_disabled`; `email_unverified` unless an identity provider vouches
   */
  async signIn(
    user: User,
    { code, client, passwordHash = user.passwordHash, isVouchedFor }: SignIn,
  ): Promise<TokenPairDto> {
    await this.secondFactor.requireAtLogin(user, code, client);
    this.refuseDisabled(user, client);
    if (!isVouchedFor) await this.refuseUnverified(user, client);
    const grant = await this.sessions.create(user, passwordHash, client);
    const subject = { userId: user.id, sessionId: grant?.sessionId, address: client.address };
    this.audit.record(grant ? 'login.succeeded' : 'login.failed', subject);
    if (!grant) throw wrongCredentials();
    return this.tokens.createPair(grant);
  }

  private refuseDisabled({ id: userId, disabledAt }: User, { address }: ClientInfo): void {
    if (!disabledAt) return;
    this.audit.record('login.failed', { userId, address }, { details: { error: 'account_disabled' } });
    throw accountDisabled();
  }

  /** Mails the link again, for users who registered before EMAIL_VERIFICATION=required too. */
  private async refuseUnverified(user: User, { language, address }: ClientInfo): Promise<void> {
    if (this.mails.verification !== 'required' || user.emailVerified || user.email === null) return;
    await this.mails.addVerification(user, language);
    const details = { error: 'email_unverified' };
    this.audit.record('login.failed', { userId: user.id, address }, { details });
    throw emailUnverified();
  }
}
