import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { NotFoundError } from '../../common/errors/errors.js';
import { transaction } from '../../database/retry.js';
import { EventHub } from '../../events/event-hub.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { lockAdmins, refuseLastAdmin } from '../roles/last-admin.js';
import { Roles } from '../roles/roles.service.js';
import { deleteSessionsOf, SessionsService } from '../sessions/sessions.service.js';
import { User, type UserRole } from './user.entity.js';

/** Changes what users may do, for administrators and the command line. At least one enabled administrator remains. */
@Injectable()
export class UserControlService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly roles: Roles,
    private readonly sessions: SessionsService,
    private readonly events: EventHub,
  ) {}

  /**
   * Ends the user's sessions, closes their connections and stops their replies, on every node.
   * @returns the user as changed
   * @throws {ConflictError} `last_admin`
   */
  async disable(userId: number): Promise<User> {
    const { user, ended } = await this.change(userId, async (manager, user) => {
      await refuseLastAdmin(manager, this.roles, userId);
      await update(manager, user, { disabledAt: user.disabledAt ?? new Date() });
      return { user, ended: await deleteSessionsOf(manager, userId) };
    });
    this.sessions.publishRevoked(userId, ended);
    this.events.publish(userId, new ParleyEvent('account.disabled', {}));
    return user;
  }

  /** @returns the user as changed */
  enable(userId: number): Promise<User> {
    return this.change(userId, (manager, user) => update(manager, user, { disabledAt: null }));
  }

  /**
   * @returns the user as changed
   * @throws {ConflictError} `last_admin`; not for a user who remains an administrator by ADMIN_EMAILS
   */
  setRole(userId: number, role: UserRole): Promise<User> {
    return this.change(userId, async (manager, user) => {
      if (this.roles.of({ ...user, role }) !== 'admin') await refuseLastAdmin(manager, this.roles, userId);
      return update(manager, user, { role });
    });
  }

  /** @returns the number of ended sessions */
  async endSessions(userId: number): Promise<number> {
    const ended = await this.change(userId, (manager) => deleteSessionsOf(manager, userId));
    this.sessions.publishRevoked(userId, ended);
    return ended.length;
  }

  private change<T>(userId: number, work: (manager: EntityManager, user: User) => Promise<T>): Promise<T> {
    return transaction(this.dataSource, async (manager) => {
      await lockAdmins(manager);
      const user = await manager.findOneBy(User, { id: userId });
      if (!user) throw new NotFoundError('user');
      return work(manager, user);
    });
  }
}

async function update(
  manager: EntityManager,
  user: User,
  changes: Partial<Pick<User, 'disabledAt' | 'role'>>,
): Promise<User> {
  await manager.update(User, { id: user.id }, changes);
  return Object.assign(user, changes);
}
