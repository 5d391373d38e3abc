import { Controller, Get, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { type ClientInfo, CurrentClientInfo } from '../auth/client-info.decorator.js';
import { CurrentIdentity } from '../auth/current-user.decorator.js';
import type { Identity } from '../auth/identity.js';
import { AuditLog } from '../common/logging/audit-log.js';
import { sendPieces } from '../common/json/json-pieces.js';
import { LimitConcurrent } from '../throttling/limit-concurrent.decorator.js';
import { ExportDto } from './export.dto.js';
import { ExportService } from './export.service.js';

@ApiTags('Accounts')
@ApiBearerAuth()
@Controller('auth/me/export')
export class ExportController {
  constructor(
    private readonly exports: ExportService,
    private readonly audit: AuditLog,
  ) {}

  @Get()
  @LimitConcurrent()
  @ApiOperation({ operationId: 'exportAccount', summary: 'Get everything you own as one JSON document' })
  @ApiOkResponse({ type: ExportDto })
  async export(
    @CurrentIdentity() identity: Identity,
    @CurrentClientInfo() { address }: ClientInfo,
    @Res() response: Response,
  ): Promise<void> {
    const pieces = await this.exports.begin(identity);
    this.audit.record('account.exported', {
      userId: identity.user.id,
      sessionId: identity.session.id,
      address,
    });
    response.status(200).type('application/json');
    response.attachment('parley-export.json');
    await sendPieces(response, pieces);
  }
}
