import {
  applyDecorators,
  CanActivate,
  ExecutionContext,
  Injectable,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { ApiBearerAuth } from '@nestjs/swagger';
import type { Request } from 'express';
import { adminOnly } from '../auth.errors.js';
import type { Identity } from '../identity.js';
import { AdminAuditInterceptor } from './admin-audit.interceptor.js';
import { Roles } from './roles.service.js';

@Injectable()
class AdminGuard implements CanActivate {
  constructor(private readonly roles: Roles) {}

  canActivate(context: ExecutionContext): boolean {
    const { user } = context.switchToHttp().getRequest<Request & { user: Identity }>().user;
    if (this.roles.of(user) !== 'admin') throw adminOnly();
    return true;
  }
}

/** Refuses callers who are no administrators with 403 `admin_only`, and audits the calls. The module imports AuthModule. */
export const AdminOnly = () =>
  applyDecorators(UseGuards(AdminGuard), UseInterceptors(AdminAuditInterceptor), ApiBearerAuth());
