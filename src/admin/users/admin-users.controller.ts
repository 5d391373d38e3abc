import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../../auth/roles/admin.guard.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { AdminUserDto, AdminUserListDto, ListUsersQuery } from './admin-user.dto.js';
import { AdminUsersService } from './admin-users.service.js';

@ApiTags('Administration')
@AdminOnly()
@Controller('admin/users')
export class AdminUsersController {
  constructor(private readonly users: AdminUsersService) {}

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
}
