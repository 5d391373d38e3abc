import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, ValidateBy } from 'class-validator';
import { IsOptionalNotNull } from '../common/validation/optional.decorator.js';
import { EmptyIsAbsent } from '../common/validation/query.decorators.js';
import { isDate } from './usage-dates.js';

const USAGE_GROUPS = ['day', 'user', 'model', 'config'] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];

export class UsageQuery {
  @QueryDate('First day (UTC), included. By default 29 days before `to`; at most 366 days in all.')
  from?: string;

  @QueryDate('Last day (UTC), included. Today by default.')
  to?: string;

  /** What the rows are sums by. */
  @ApiPropertyOptional({ enum: USAGE_GROUPS, enumName: 'UsageGroup', default: 'day' })
  @EmptyIsAbsent()
  @IsOptionalNotNull()
  @IsIn(USAGE_GROUPS)
  group: UsageGroup = 'day';
}

/** Sums. Of `date`, `user_id`, `model_name` and `config_id`, a row has the one that is grouped by. */
export class UsageRowDto {
  /** Day (UTC) on which the replies ended. */
  @ApiPropertyOptional({ format: 'date', example: '2026-01-31' })
  date?: string;

  /** Null for deleted users together. */
  @ApiPropertyOptional({ type: 'integer', nullable: true, example: 1 })
  user_id?: number | null;

  @ApiPropertyOptional({ example: 'gpt-4.1-mini' })
  model_name?: string;

  /** Null for the demo model. The configuration may be deleted by now. */
  @ApiPropertyOptional({ type: 'integer', nullable: true, example: 1 })
  config_id?: number | null;

  /** Ended replies, whatever their status. */
  @ApiProperty({ type: 'integer', example: 12 })
  replies!: number;

  /** Includes titles, and what was estimated for providers that report no usage. */
  @ApiProperty({ type: 'integer', example: 5120 })
  prompt_tokens!: number;

  @ApiProperty({ type: 'integer', example: 2048 })
  completion_tokens!: number;
}

export class UsageReportDto {
  /** In the order of what they are grouped by. Days and others without usage are left out. */
  @ApiProperty({ type: () => [UsageRowDto] })
  rows!: UsageRowDto[];
}

export class QuotaDto {
  @ApiProperty({ type: 'integer', example: 1 })
  config_id!: number;

  /** Tokens that you may use of it per day (UTC). */
  @ApiProperty({ type: 'integer', example: 100_000 })
  daily_tokens!: number;

  /** Tokens used today, prompts and titles included. May exceed the quota by replies that were running. */
  @ApiProperty({ type: 'integer', example: 5120 })
  used!: number;

  /** The next midnight in UTC. */
  @ApiProperty({ format: 'date-time', example: '2026-02-01T00:00:00.000Z' })
  resets_at!: string;
}

export class MyUsageDto extends UsageReportDto {
  /** Those of shared configurations, whatever the days asked for. */
  @ApiProperty({ type: () => [QuotaDto] })
  quotas!: QuotaDto[];
}

function QueryDate(description: string): PropertyDecorator {
  const message = 'Must be a day, such as 2026-01-31.';
  return applyDecorators(
    ApiPropertyOptional({ format: 'date', description }),
    EmptyIsAbsent(),
    IsOptionalNotNull(),
    ValidateBy({ name: 'isDate', validator: { validate: isDate, defaultMessage: () => message } }),
  );
}
