import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../../auth/roles/admin.guard.js';
import { AuditBody } from '../../auth/roles/admin-audit.interceptor.js';
import { UserControlService } from '../../auth/users/user-control.service.js';
import { UserDeletionService } from '../../auth/users/user-deletion.service.js';
import { ApiProblems } from '../../common/errors/api-problems.decorator.js';
import { TotpRemovalService } from '../../auth/totp/totp-removal.service.js';
import { type ClientInfo, CurrentClientInfo } from '../../auth/client-info.decorator.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { AdminUserDto, AdminUserListDto, ChangeRoleDto, ListUsersQuery } from './admin-user.dto.js';
import { AdminUsersService } from './admin-users.service.js';

@ApiTags('Administration')
@AdminOnly()
@Controller('admin/users')
export class AdminUsersController {
  constructor(
    private readonly users: AdminUsersService,
    private readonly control: UserControlService,
    private readonly deletions: UserDeletionService,
    private readonly totp: TotpRemovalService,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listUsers',
    summary: 'List users, the newest first',
    description: 'With counts of what they own, never its contents.',
  })
  list(@Query() query: ListUsersQuery): Promise<AdminUserListDto> {
    return this.users.list(query);
  }

  @Get(':id')
  @ApiOperation({
    operationId: 'getUser',
    summary: 'Get a user',
    description: 'With counts of what the user owns, never its contents.',
  })
  get(@Param('id', IdPipe) id: number): Promise<AdminUserDto> {
    return this.users.get(id);
  }

  @Post(':id/disable')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'disableUser',
    summary: 'Disable a user: ends sessions and sockets, stops replies',
    description:
      'Takes effect on every node within a second. A login with the right password, and code, is then 403 ' +
      '`account_disabled`. The last administrator who is enabled cannot be disabled.',
  })
  @ApiProblems('403 admin_only', '409 last_admin')
  async disable(@Param('id', IdPipe) id: number): Promise<AdminUserDto> {
    return this.users.dtoOf(await this.control.disable(id));
  }

  @Post(':id/enable')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'enableUser',
    summary: 'Enable a user who was disabled',
    description: 'The user logs in again with the credentials of before.',
  })
  async enable(@Param('id', IdPipe) id: number): Promise<AdminUserDto> {
    return this.users.dtoOf(await this.control.enable(id));
  }

  @Post(':id/role')
  @HttpCode(200)
  @AuditBody('role')
  @ApiOperation({
    operationId: 'changeUserRole',
    summary: 'Grant or revoke the role of an administrator',
    description:
      'An administrator by `ADMIN_EMAILS` stays one. The last administrator who is enabled cannot be demoted.',
  })
  @ApiProblems('403 admin_only', '409 last_admin')
  async changeRole(@Param('id', IdPipe) id: number, @Body() { role }: ChangeRoleDto): Promise<AdminUserDto> {
    return this.users.dtoOf(await this.control.setRole(id, role));
  }

  @Post(':id/totp/remove')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'removeUserTotp',
    summary: 'Turn off the second factor of a user who has lost it',
    description:
      'The user logs in with the password alone and is notified by mail. Changes nothing if it is off.',
  })
  async removeTotp(
    @Param('id', IdPipe) id: number,
    @CurrentClientInfo() { language }: ClientInfo,
  ): Promise<AdminUserDto> {
    await this.totp.removeOf(await this.users.find(id), language);
    return this.users.get(id);
  }

  @Post(':id/sessions/revoke')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'revokeUserSessions',
    summary: 'End all sessions of a user',
    description: 'Closes their sockets within a second, on every node. The user can log in again.',
  })
  async revokeSessions(@Param('id', IdPipe) id: number): Promise<void> {
    await this.control.endSessions(id);
  }

  @Post(':id/delete')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteUser',
    summary: 'Delete a user and all that the user owns',
    description:
      'At once and for good. The audit trail keeps the events. The last administrator who is enabled cannot be deleted.',
  })
  @ApiProblems('403 admin_only', '409 last_admin')
  async delete(@Param('id', IdPipe) id: number): Promise<void> {
    await this.deletions.delete(id);
  }
}
