import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../../auth/roles/admin.guard.js';
import { UsageReports } from '../../usage/usage-reports.service.js';
import { UsageReportDto, UsageQuery } from '../../usage/usage.dto.js';

@ApiTags('Administration')
@AdminOnly()
@Controller('admin/usage')
export class AdminUsageController {
  constructor(private readonly reports: UsageReports) {}

  @Get()
  @ApiOperation({
    operationId: 'getUsage',
    summary: 'Get the tokens that all users have used',
    description:
      'Sums by day, user, model or configuration. Those of deleted users are kept, without the user.',
  })
  async get(@Query() query: UsageQuery): Promise<UsageReportDto> {
    return { rows: await this.reports.list(null, query) };
  }
}
