import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { foldText } from '../../common/text/fold-text.js';
import { transaction } from '../../database/retry.js';
import type { RegisterDto } from '../auth.dto.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { refuseGuessablePassword } from '../passwords/password-rules.js';
import { PasswordService } from '../passwords/password.service.js';
import { assertNotTaken, emailColumns, writeUnique } from './unique-names.js';
import type { UserDto } from './user.dto.js';
import { UserRecords } from './user-records.service.js';
import { UserDtos } from './user-dtos.service.js';
import { User } from './user.entity.js';

@Injectable()
export class RegistrationService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly dtos: UserDtos,
    private readonly passwords: PasswordService,
    private readonly audit: AuditLog,
    private readonly records: UserRecords,
  ) {}

  /** @throws {ConflictError} `username_taken`, `email_taken` */
  async register({ username, email, password }: RegisterDto, client: ClientInfo): Promise<UserDto> {
    await refuseGuessablePassword(password, { username, email });
    const { manager } = this.dataSource;
    const names = { usernameKey: foldText(username), ...emailColumns(email) };
    await assertNotTaken(manager, names);
    const user = manager.create(User, {
      ...names,
      username,
      passwordHash: await this.passwords.hash(password),
      emailVerified: false,
      secondFactor: false,
      role: 'user',
      disabledAt: null,
      lastSeenAt: null,
      conversationCount: 0,
      archivedCount: 0,
      createdAt: new Date(),
    });
    await writeUnique(manager, names, () =>
      transaction(this.dataSource, (inTransaction) => this.records.insert(inTransaction, user)),
    );
    this.audit.record('user.registered', { userId: user.id, address: client.address });
    return this.dtos.of(user);
  }
}
