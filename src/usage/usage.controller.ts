import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../auth/current-user.decorator.js';
import { User } from '../auth/users/user.entity.js';
import { Quotas } from './quotas.service.js';
import { UsageReports } from './usage-reports.service.js';
import { MyUsageDto, UsageQuery } from './usage.dto.js';

@ApiTags('Accounts')
@ApiBearerAuth()
@Controller('auth/me/usage')
export class UsageController {
  constructor(
    private readonly reports: UsageReports,
    private readonly quotas: Quotas,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'getMyUsage',
    summary: 'Get the tokens you have used',
    description:
      'Sums by day, model or configuration. Every ended reply counts, and the tokens of titles; deleting lowers nothing. `quotas` has what is left of shared configurations today.',
  })
  async get(@CurrentUser() user: User, @Query() query: UsageQuery): Promise<MyUsageDto> {
    return { rows: await this.reports.list(user.id, query), quotas: await this.quotas.list(user.id) };
  }
}
