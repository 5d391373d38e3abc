import { Injectable, Logger } from '@nestjs/common';

export type AuditEvent =
  | 'user.registered'
  | 'login.succeeded'
  | 'login.failed'
  | 'reauthentication.failed'
  | 'guessing.limited'
  | 'refresh.reused'
  | 'logout'
  | 'username.changed'
  | 'email.changed'
  | 'password.changed'
  | 'password.forgotten'
  | 'password.reset'
  | 'session.revoked'
  | 'account.exported'
  | 'account.deleted'
  | 'config.created'
  | 'config.key_changed'
  | 'config.deleted';

/** The acting user, session and address. */
export interface AuditSubject {
  userId?: number;
  sessionId?: number;
  address?: string;
}

/**
 * Logs account events as structured lines under the context `Audit`. Contains ids and addresses only: users type
 * passwords into the wrong field.
 */
@Injectable()
export class AuditLog {
  private readonly logger = new Logger('Audit');

  record(event: AuditEvent, { userId, sessionId, address }: AuditSubject): void {
    this.logger.log({ event, user_id: userId, session_id: sessionId, address });
  }
}
