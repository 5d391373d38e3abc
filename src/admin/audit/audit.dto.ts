import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { AuditEvent } from '../../audit/audit-event.entity.js';
import { IsOptionalNotNull } from '../../common/validation/optional.decorator.js';
import { EmptyIsAbsent, QueryInteger } from '../../common/validation/query.decorators.js';
import { IsText } from '../../common/validation/text.decorator.js';

export class AuditQuery {
  @QueryInteger({ min: 1, description: 'Only events by this user or about this user.' })
  user_id?: number;

  /** Only events of this action, such as `login.failed`. */
  @ApiPropertyOptional()
  @EmptyIsAbsent()
  @IsOptionalNotNull()
  @IsText({ max: 64 })
  action?: string;

  @QueryInteger({ min: 1, description: 'Only events older than this one.' })
  before_id?: number;

  @QueryInteger({ min: 1, max: 100, default: 20, description: 'The most events to return.' })
  limit = 20;
}

export class AuditEventDto {
  @ApiProperty({ type: 'integer', example: 1 })
  id!: number;

  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  at!: string;

  @ApiProperty({ example: 'admin.user.disable' })
  action!: string;

  /** The acting user. Null for an unknown one, and for the command line. */
  @ApiProperty({ type: 'integer', nullable: true, example: 1 })
  user_id!: number | null;

  /** The user whom the action concerns, if it is not the acting one. */
  @ApiProperty({ type: 'integer', nullable: true, example: 2 })
  target_user_id!: number | null;

  @ApiProperty({ type: 'integer', nullable: true, example: 1 })
  session_id!: number | null;

  @ApiProperty({ type: 'string', nullable: true, example: '203.0.113.7' })
  address!: string | null;

  /** Ids, numbers and fixed words that belong to the action. */
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { error: 'last_admin' },
  })
  details!: Record<string, unknown> | null;

  static from(event: AuditEvent): AuditEventDto {
    return Object.assign(new AuditEventDto(), {
      id: event.id,
      at: event.at.toISOString(),
      action: event.action,
      user_id: event.userId,
      target_user_id: event.targetUserId,
      session_id: event.sessionId,
      address: event.address,
      details: event.details,
    } satisfies AuditEventDto);
  }
}

export class AuditEventsDto {
  @ApiProperty({ type: () => [AuditEventDto] })
  events!: AuditEventDto[];

  @ApiProperty({ example: false })
  has_more!: boolean;
}
