import type { AuditSubject } from '../audit/audit-log.js';
import type { ClientInfo } from './client-info.decorator.js';
import type { Session } from './sessions/session.entity.js';
import type { User } from './users/user.entity.js';

/** The authenticated caller of an HTTP request: the subject of its audit events. */
export class Actor implements AuditSubject {
  constructor(
    readonly user: User,
    readonly session: Session,
    readonly client: ClientInfo,
  ) {}

  get address(): string {
    return this.client.address;
  }

  get userId(): number {
    return this.user.id;
  }

  get sessionId(): number {
    return this.session.id;
  }
}
