import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AuditLog } from '../common/logging/audit-log.js';
import { addressKey } from '../throttling/address-key.js';
import type { LoginDto } from './auth.dto.js';
import { wrongCredentials } from './auth.errors.js';
import { RawEntityQuery, type Row } from '../database/raw-entity-query.js';
import type { ClientInfo } from './client-info.decorator.js';
import { emailKey, exactEmailKey } from '../common/text/email-key.js';
import { PasswordVerificationService } from './passwords/password-verification.service.js';
import { PasswordService } from './passwords/password.service.js';
import { SessionGrant, SessionsService } from './sessions/sessions.service.js';
import { User } from './users/user.entity.js';

/** Whom a login is aimed at. */
interface LoginTarget {
  /** Null where nobody has the email address. */
  user: User | null;
  /** Whose failures count together. */
  budget: string;
}

@Injectable()
export class LoginService {
  private readonly users: RawEntityQuery<User>;
  private readonly findTargetSql: string;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly checks: PasswordVerificationService,
    private readonly passwords: PasswordService,
    private readonly sessions: SessionsService,
    private readonly audit: AuditLog,
  ) {
    this.users = new RawEntityQuery(dataSource, User, 'u');
    this.findTargetSql = `SELECT ${this.users.columns}, a.address AS known_address FROM users u
      LEFT JOIN known_addresses a ON a.user_id = u.id AND a.address = ?
      WHERE u.email_key IN (?, ?) ORDER BY u.email_key LIMIT 1`;
  }

  /** @throws {UnauthenticatedError} the same, in the same time, for an unknown email as for a wrong password */
  async logIn({ email, password }: LoginDto, client: ClientInfo): Promise<SessionGrant> {
    const { user, budget } = await this.findTarget(email, client);
    const subject = { userId: user?.id, address: client.address };
    const right = await this.checks.verify(password, user?.passwordHash, budget, subject);
    const grant = user && right ? await this.createSession(user, password, client) : null;
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
   * An exact key sorts before a folded one.
   */
  private async findTarget(email: string, client: ClientInfo): Promise<LoginTarget> {
    const address = addressKey(client.address);
    const exactKey = exactEmailKey(email);
    const key = emailKey(email) ?? exactKey;
    const [row] = await this.dataSource.query<Row[]>(this.findTargetSql, [address, exactKey, key]);
    const user = row ? this.users.read(row) : null;
    return { user, budget: row?.known_address ? `${key} ${address}` : key };
  }

  private async createSession(
    user: User,
    password: string,
    client: ClientInfo,
  ): Promise<SessionGrant | null> {
    const outdated = this.passwords.isOutdated(user.passwordHash);
    const hash = outdated ? await this.passwords.hash(password) : user.passwordHash;
    return this.sessions.create(user, hash, client);
  }
}
