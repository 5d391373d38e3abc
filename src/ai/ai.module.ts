import { Module } from '@nestjs/common';
import { AiService } from './ai.service.js';
import { Outbound } from './egress/outbound.js';
import { RESOLVE_HOST, resolveHost } from './egress/resolve-host.js';

@Module({
  providers: [AiService, Outbound, { provide: RESOLVE_HOST, useValue: resolveHost }],
  exports: [AiService],
})
export class AiModule {}
