import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  SetMetadata,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { catchError, concatMap, type Observable } from 'rxjs';
import type { AuditDetails } from '../../audit/audit-event.entity.js';
import { AuditLog } from '../../audit/audit-log.js';
import { toProblemError } from '../../common/errors/problem.js';
import { Actor } from '../actor.js';
import { clientInfoOf } from '../client-info.decorator.js';
import type { Identity } from '../identity.js';
import { adminActionOf } from './admin-action.js';

type AdminRequest = Request & { user: Identity; route: { path: string } };

const AUDITED_FIELDS = 'audited-fields';

/** Adds fields of the body to the audit event of an administrator's call. For fixed words and numbers only. */
export const AuditBody = (...fields: string[]) => SetMetadata(AUDITED_FIELDS, fields);

/** Audits every call of an administrator, reads and failures included, before it is answered. */
@Injectable()
export class AdminAuditInterceptor implements NestInterceptor {
  constructor(
    private readonly audit: AuditLog,
    private readonly reflector: Reflector,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<AdminRequest>();
    const fields = this.reflector.get<string[] | undefined>(AUDITED_FIELDS, context.getHandler()) ?? [];
    return next.handle().pipe(
      catchError((error: unknown) => {
        this.record(request, { error: toProblemError(error).code });
        throw error;
      }),
      concatMap(async (answer: unknown) => {
        this.record(request, Object.fromEntries(fields.map((field) => [field, request.body[field]])));
        await this.audit.flush();
        return answer;
      }),
    );
  }

  private record(request: AdminRequest, details: AuditDetails): void {
    const { user, session } = request.user;
    const actor = new Actor(user, session, clientInfoOf(request));
    const { path } = request.route;
    const id = idOf(request);
    const object = path.startsWith('/admin/users/')
      ? { targetUserId: id, details }
      : { details: { id, ...details } };
    this.audit.record(adminActionOf(request.method, path), actor, object);
  }
}

/** The id in the path, unless it is one that the call answers with 404. */
function idOf({ params }: AdminRequest): number | undefined {
  const id = Number(params.id);
  return Number.isSafeInteger(id) && id > 0 ? id : undefined;
}
