import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../../auth/roles/admin.guard.js';
import { AuditTrailService } from './audit-trail.service.js';
import { AuditEventsDto, AuditQuery } from './audit.dto.js';

@ApiTags('Administration')
@AdminOnly()
@Controller('admin/audit')
export class AuditController {
  constructor(private readonly trail: AuditTrailService) {}

  @Get()
  @ApiOperation({
    operationId: 'listAuditEvents',
    summary: 'List the events of the audit trail, the newest first',
    description: 'Events are kept for 365 days, also those of users who were deleted.',
  })
  list(@Query() query: AuditQuery): Promise<AuditEventsDto> {
    return this.trail.list(query);
  }
}
