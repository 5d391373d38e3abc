import { createParamDecorator, ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { clientInfoOf } from '../auth/client-info.decorator.js';
import type { Identity } from '../auth/identity.js';
import type { AuditSubject } from '../common/logging/audit-log.js';

/** Who makes a change, as the audit trail names them. */
export class Actor implements AuditSubject {
  userId!: number;
  sessionId!: number;
  address!: string;
}

export const CurrentActor = createParamDecorator((_: unknown, context: ExecutionContext): Actor => {
  const request = context.switchToHttp().getRequest<Request & { user: Identity }>();
  const { user, session } = request.user;
  return { userId: user.id, sessionId: session.id, address: clientInfoOf(request).address };
});
