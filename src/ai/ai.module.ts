import { Module } from '@nestjs/common';
import { AiService } from './ai.service.js';
import { EgressGuard } from './egress/egress-guard.js';
import { RESOLVE_HOST, resolveHost } from './egress/resolve-host.js';

@Module({
  providers: [AiService, EgressGuard, { provide: RESOLVE_HOST, useValue: resolveHost }],
  exports: [AiService, EgressGuard],
})
export class AiModule {}
