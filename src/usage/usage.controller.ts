import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../auth/current-user.decorator.js';
import { User } from '../auth/users/user.entity.js';
import { UsageReports } from './usage-reports.service.js';
import { UsageDto, UsageQuery } from './usage.dto.js';

@ApiTags('Accounts')
@ApiBearerAuth()
@Controller('auth/me/usage')
export class UsageController {
  constructor(private readonly reports: UsageReports) {}

  @Get()
  @ApiOperation({
    operationId: 'getMyUsage',
    summary: 'Get the tokens you have used',
    description:
      'Sums by day, model or configuration. Every ended reply counts, and the tokens of titles; deleting lowers nothing.',
  })
  async get(@CurrentUser() user: User, @Query() query: UsageQuery): Promise<UsageDto> {
    return { rows: await this.reports.list(user.id, query) };
  }
}
