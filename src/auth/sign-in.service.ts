import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { accountDisabled, wrongCredentials } from './auth.errors.js';
import type { ClientInfo } from './client-info.decorator.js';
import { SessionsService } from './sessions/sessions.service.js';
import type { TokenPairDto } from './tokens/token-pair.dto.js';
import { TokensService } from './tokens/tokens.service.js';
import type { User } from './users/user.entity.js';

/** Signs in users whose password or identity token was verified. */
@Injectable()
export class SignInService {
  constructor(
    private readonly sessions: SessionsService,
    private readonly tokens: TokensService,
    private readonly audit: AuditLog,
  ) {}

  /**
   * @param user as read before the credential was verified
   * @param passwordHash replaces the user's hash; may be the same
   * @throws {ProblemError} `account_disabled`
   * @throws {UnauthenticatedError} `unauthenticated` if the password was changed or the account deleted meanwhile
   */
  async signIn(user: User, client: ClientInfo, passwordHash = user.passwordHash): Promise<TokenPairDto> {
    this.refuseDisabled(user, client);
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
}
