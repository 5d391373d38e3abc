import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AuditLog } from '../common/audit-log.js';
import { addressKey } from '../throttling/address-key.js';
import type { LoginDto } from './auth.dto.js';
import { wrongCredentials } from './auth.errors.js';
import type { Client } from './client.decorator.js';
import { KnownAddress } from './known-address.entity.js';
import { PasswordChecks } from './password-checks.service.js';
import { PasswordService } from './password.service.js';
import { SessionGrant, SessionsService } from './sessions.service.js';
import { User } from './user.entity.js';

/** Whom a login is aimed at. */
interface Target {
  /** Null where nobody has the email address. */
  user: User | null;
  /** Whose failures count together. */
  budget: string;
}

@Injectable()
export class LoginService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly checks: PasswordChecks,
    private readonly passwords: PasswordService,
    private readonly sessions: SessionsService,
    private readonly audit: AuditLog,
  ) {}

  /** @throws {UnauthenticatedError} the same, in the same time, for an unknown email as for a wrong password */
  async logIn({ email, password }: LoginDto, client: Client): Promise<SessionGrant> {
    const { user, budget } = await this.findTarget(email, client);
    const subject = { userId: user?.id, address: client.address };
    const right = await this.checks.isRight(password, user?.passwordHash, budget, subject);
    const grant = user && right ? await this.openSession(user, password, client) : null;
    this.audit.record(grant ? 'login.succeeded' : 'login.failed', {
      ...subject,
      sessionId: grant?.sessionId,
    });
    if (!grant) throw wrongCredentials();
    return grant;
  }

  /**
   * Whoever guesses, from however many addresses, spends the one budget of the account they aim at. An address that
   * has logged in to it has its own, so that the guesser cannot lock the owner out. One query, whoever is asked for.
   */
  private async findTarget(email: string, client: Client): Promise<Target> {
    const address = addressKey(client.address);
    const { entities, raw } = await this.dataSource
      .getRepository(User)
      .createQueryBuilder('user')
      .leftJoin(KnownAddress, 'known', 'known.userId = user.id AND known.address = :address', { address })
      .addSelect('known.address', 'known_address')
      .where({ email })
      .getRawAndEntities<{ known_address: string | null }>();
    const known = raw[0]?.known_address;
    return { user: entities[0] ?? null, budget: known ? `${email} ${address}` : email };
  }

  private async openSession(user: User, password: string, client: Client): Promise<SessionGrant | null> {
    const outdated = this.passwords.isOutdated(user.passwordHash);
    const hash = outdated ? await this.passwords.hash(password) : user.passwordHash;
    return this.sessions.open(user, hash, client);
  }
}
