import { Module } from '@nestjs/common';
import { AiService } from './ai.service.js';
import { Outbound, RESOLVE_HOST, resolveHost } from './outbound.js';

@Module({
  providers: [AiService, Outbound, { provide: RESOLVE_HOST, useValue: resolveHost }],
  exports: [AiService],
})
export class AiModule {}
