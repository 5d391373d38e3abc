import { Controller, Get, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Actor } from '../auth/actor.js';
import { CurrentActor } from '../auth/current-user.decorator.js';
import { AuditLog } from '../audit/audit-log.js';
import { sendPieces } from '../common/http/server/send-pieces.js';
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
  @ApiOperation({
    operationId: 'exportAccount',
    summary: 'Get everything you own as one JSON document',
    description:
      'The account, its sessions, configurations and conversations with the messages of all branches. API keys and passwords are left out. The document is streamed, as it may be large.',
  })
  @ApiOkResponse({ type: ExportDto })
  async export(@CurrentActor() actor: Actor, @Res() response: Response): Promise<void> {
    const pieces = await this.exports.begin(actor);
    this.audit.record('account.exported', actor);
    response.status(200).type('application/json');
    response.attachment('parley-export.json');
    await sendPieces(response, pieces);
  }
}
