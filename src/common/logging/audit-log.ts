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
  | 'session.revoked'
  | 'account.exported'
  | 'account.deleted'
  | 'config.created'
  | 'config.key_changed'
  | 'config.deleted';

/** Who did it, and from where. */
export interface AuditSubject {
  userId?: number;
  sessionId?: number;
  address?: string;
}

/**
 * What an operator needs to see who did what to an account: one structured log event each, under the context
 * `Audit`. It names ids and addresses alone, never what was typed: people type passwords into the wrong field.
 */
@Injectable()
export class AuditLog {
  private readonly logger = new Logger('Audit');

  record(event: AuditEvent, { userId, sessionId, address }: AuditSubject): void {
    this.logger.log({ event, user_id: userId, session_id: sessionId, address });
  }
}
