import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import type { Actor } from '../actor.js';
import { ReauthenticationService } from '../passwords/reauthentication.service.js';
import { requireSession } from '../sessions/require-session.js';
import { UserDeletionService } from './user-deletion.service.js';

@Injectable()
export class AccountDeletionService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly reauthentication: ReauthenticationService,
    private readonly deletions: UserDeletionService,
    private readonly audit: AuditLog,
  ) {}

  /** @throws {ConflictError} `last_admin` */
  async delete(actor: Actor, password: string | undefined): Promise<void> {
    await this.reauthentication.require(actor, password);
    await requireSession(this.dataSource.manager, actor.session);
    await this.deletions.delete(actor.userId);
    this.audit.record('account.deleted', actor);
  }
}
