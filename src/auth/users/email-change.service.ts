import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { transaction } from '../../database/retry.js';
import type { Actor } from '../actor.js';
import type { ChangeEmailDto } from '../auth.dto.js';
import { ReauthenticationService } from '../passwords/reauthentication.service.js';
import { cancelMailTokens } from '../mails/mail-tokens.js';
import { emailColumns, writeUnique } from './unique-names.js';
import type { UserDto } from './user.dto.js';
import { UserDtos } from './user-dtos.service.js';
import { User } from './user.entity.js';

@Injectable()
export class EmailChangeService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly dtos: UserDtos,
    private readonly reauthentication: ReauthenticationService,
    private readonly audit: AuditLog,
  ) {}

  /** @throws {ConflictError} `email_taken` */
  async change(actor: Actor, { email, current_password }: ChangeEmailDto): Promise<UserDto> {
    await this.reauthentication.requireUnlessFresh(actor, current_password);
    const names = emailColumns(email);
    await writeUnique(this.dataSource.manager, names, () =>
      transaction(this.dataSource, async (manager) => {
        await manager.update(User, { id: actor.userId }, names);
        await cancelMailTokens(manager, actor.userId);
      }),
    );
    this.audit.record('email.changed', actor);
    return this.dtos.of({ ...actor.user, email });
  }
}
