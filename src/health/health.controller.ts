import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { SkipThrottle } from '@nestjs/throttler';
import { Public } from '../auth/public.decorator.js';
import { ApiProblems } from '../common/errors/api-problems.decorator.js';
import { LivenessDto, ReadinessDto } from './health.dto.js';
import { HealthService } from './health.service.js';

@Controller('health')
@ApiTags('health')
@Public()
@SkipThrottle()
export class HealthController {
  constructor(private readonly health: HealthService) {}

  @Get('live')
  @ApiOperation({
    summary: 'Whether the process runs',
    operationId: 'checkLiveness',
    description: 'For a restart policy: answers while the process can answer at all.',
  })
  @ApiOkResponse({ type: LivenessDto })
  live(): LivenessDto {
    return { status: 'ok' };
  }

  @Get('ready')
  @ApiOperation({
    summary: 'Whether the server can take requests, part by part',
    operationId: 'checkReadiness',
    description: 'For a load balancer: 503 while a required dependency is down or the server shuts down.',
  })
  @ApiOkResponse({ type: ReadinessDto })
  @ApiProblems('503 not_ready', '503 draining')
  ready(): Promise<ReadinessDto> {
    return this.health.checkReadiness();
  }
}
