import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { AuditLog } from '../../common/logging/audit-log.js';
import { foldText } from '../../common/text/fold-text.js';
import { isDuplicateKey, transaction } from '../../database/retry.js';
import type { Actor } from '../actor.js';
import type { ChangeEmailDto, ChangeUsernameDto, RegisterDto } from '../auth.dto.js';
import { emailTaken, usernameTaken } from '../auth.errors.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { emailKey } from '../../common/text/email-key.js';
import { refuseGuessablePassword } from '../passwords/password-rules.js';
import { PasswordService } from '../passwords/password.service.js';
import { ReauthenticationService } from '../passwords/reauthentication.service.js';
import { cancelMailTokens } from '../recovery/mail-tokens.js';
import type { UserDto } from './user.dto.js';
import { UserDtos } from './user-dtos.service.js';
import { User } from './user.entity.js';

type UniqueKeys = Partial<Record<'usernameKey' | 'email' | 'emailKey', string>>;

/** Registers users and changes their names and addresses. */
@Injectable()
export class UsersService {
  constructor(
    @InjectRepository(User) private readonly users: Repository<User>,
    private readonly dtos: UserDtos,
    private readonly passwords: PasswordService,
    private readonly reauthentication: ReauthenticationService,
    private readonly audit: AuditLog,
  ) {}

  /** @throws {ConflictError} `username_taken`, `email_taken` */
  async register({ username, email, password }: RegisterDto, client: ClientInfo): Promise<UserDto> {
    await refuseGuessablePassword(password, { username, email });
    const names = { usernameKey: foldText(username), ...emailColumns(email) };
    await this.assertNotTaken(names);
    const user = this.users.create({
      ...names,
      username,
      passwordHash: await this.passwords.hash(password),
      emailVerified: false,
      secondFactor: false,
      role: 'user',
      disabledAt: null,
      conversationCount: 0,
      archivedCount: 0,
      createdAt: new Date(),
    });
    await this.writeUnique(names, () => this.users.insert(user));
    this.audit.record('user.registered', { userId: user.id, address: client.address });
    return this.dtos.of(user);
  }

  get(user: User): Promise<UserDto> {
    return this.dtos.of(user);
  }

  /** @throws {ConflictError} `username_taken` */
  async changeUsername(actor: Actor, { username }: ChangeUsernameDto): Promise<UserDto> {
    const names = { usernameKey: foldText(username) };
    await this.writeUnique(names, () => this.users.update({ id: actor.userId }, { ...names, username }));
    this.audit.record('username.changed', actor);
    return this.get({ ...actor.user, username });
  }

  /** @throws {ConflictError} `email_taken` */
  async changeEmail(actor: Actor, { email, current_password }: ChangeEmailDto): Promise<UserDto> {
    await this.reauthentication.requireUnlessFresh(actor, current_password);
    const names = emailColumns(email);
    await this.writeUnique(names, () =>
      transaction(this.users.manager.dataSource, async (manager) => {
        await manager.update(User, { id: actor.userId }, names);
        await cancelMailTokens(manager, actor.userId);
      }),
    );
    this.audit.record('email.changed', actor);
    return this.get({ ...actor.user, email });
  }

  /** Writes, and converts a violated unique key, which decides between simultaneous claims, to its error. */
  private async writeUnique(names: UniqueKeys, write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (isDuplicateKey(error)) await this.assertNotTaken(names);
      throw error;
    }
  }

  private async assertNotTaken({ usernameKey, emailKey }: UniqueKeys): Promise<void> {
    if (usernameKey !== undefined && (await this.users.existsBy({ usernameKey }))) throw usernameTaken();
    if (emailKey !== undefined && (await this.users.existsBy({ emailKey }))) throw emailTaken();
  }
}

/** @param email a valid address */
const emailColumns = (email: string) => ({ email, emailKey: emailKey(email)! });
