import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { transaction } from '../../database/retry.js';
import { EventHub } from '../../events/event-hub.js';
import { ParleyEvent } from '../../events/parley-event.js';
import type { Actor } from '../actor.js';
import { ReauthenticationService } from '../passwords/reauthentication.service.js';
import { Session } from '../sessions/session.entity.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { UserRecords } from './user-records.service.js';

@Injectable()
export class AccountDeletionService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly reauthentication: ReauthenticationService,
    private readonly sessions: SessionsService,
    private readonly events: EventHub,
    private readonly audit: AuditLog,
    private readonly records: UserRecords,
  ) {}

  /** Closes the user's sockets, stops running replies and deletes the user. Owned rows are deleted by cascade. */
  async delete(actor: Actor, password: string | undefined): Promise<void> {
    await this.reauthentication.require(actor, password);
    const { userId } = actor;
    const sessions = await this.dataSource.manager.findBy(Session, { userId });
    this.sessions.publishRevoked(
      userId,
      sessions.map(({ id }) => id),
    );
    this.events.publish(userId, new ParleyEvent('account.deleted', {}));
    await transaction(this.dataSource, (manager) => this.records.delete(manager, userId));
    this.audit.record('account.deleted', actor);
  }
}
