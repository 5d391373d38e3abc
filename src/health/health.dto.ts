import { ApiProperty } from '@nestjs/swagger';

export class LivenessDto {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';
}

export type PartState = 'up' | 'degraded' | 'down';

export class ReadinessDto {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';

  /** State of each dependency by name. Requests fail while one is `down` and are served with limits while one is `degraded`. */
  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'string', enum: ['up', 'degraded', 'down'] },
    example: { database: 'up', files: 'up', redis: 'degraded' },
  })
  parts!: Record<string, PartState>;
}
