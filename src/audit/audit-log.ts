import { Injectable, Logger } from '@nestjs/common';
import type { AuditDetails } from './audit-event.entity.js';
import { AuditWriter } from './audit-writer.js';

export type AuditAction =
  | 'user.registered'
  | 'login.succeeded'
  | 'login.failed'
  | 'reauthentication.failed'
  | 'guessing.limited'
  | 'refresh.reused'
  | 'logout'
  | 'username.changed'
  | 'email.changed'
  | 'email.verified'
  | 'password.changed'
  | 'password.forgotten'
  | 'password.reset'
  | 'identity.linked'
  | 'identity.unlinked'
  | 'session.revoked'
  | 'totp.enabled'
  | 'totp.removed'
  | 'totp.required'
  | 'totp.wrong_code'
  | 'totp.recovery_code_used'
  | 'account.exported'
  | 'account.deleted'
  | 'config.created'
  | 'config.updated'
  | 'config.deleted'
  | `admin.${string}`;

/** The acting user, session and address. */
export interface AuditSubject {
  userId?: number;
  sessionId?: number;
  address?: string;
}

export interface AuditObject {
  /** The user whom the action concerns, if it is not the acting one. */
  targetUserId?: number;
  details?: AuditDetails;
}

/**
 * Records account events as log lines under the context `Audit` and in the database. They hold ids and addresses only:
 * users type passwords into the wrong field.
 */
@Injectable()
export class AuditLog {
  private readonly logger = new Logger('Audit');

  constructor(private readonly writer: AuditWriter) {}

  /** Logs the event and stores it in the background; see `flush`. */
  record(action: AuditAction, subject: AuditSubject, { targetUserId, details }: AuditObject = {}): void {
    const { userId, sessionId, address } = subject;
    const hasDetails = Object.values(details ?? {}).some((value) => value !== undefined);
    this.logger.log({
      event: action,
      user_id: userId,
      target_user_id: targetUserId,
      session_id: sessionId,
      address,
      details: hasDetails ? details : undefined,
    });
    this.writer.add({
      at: new Date(),
      action,
      userId: userId ?? null,
      targetUserId: targetUserId ?? null,
      sessionId: sessionId ?? null,
      address: address ?? null,
      details: hasDetails ? details! : null,
    });
  }

  /** Resolves once the events recorded before are stored, or the database has failed to store them. */
  flush(): Promise<void> {
    return this.writer.flush();
  }
}
