import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { UserDto } from '../../auth/users/user.dto.js';
import type { User, UserRole } from '../../auth/users/user.entity.js';
import { IsOptionalNotNull } from '../../common/validation/optional.decorator.js';
import { EmptyIsAbsent, QueryBoolean, QueryInteger } from '../../common/validation/query.decorators.js';
import { IsText } from '../../common/validation/text.decorator.js';
import type { UserStatistics } from './user-statistics.service.js';

const ROLES: UserRole[] = ['user', 'admin'];

export class ListUsersQuery {
  /** Part of the username or the email address; case and spelling variants are ignored. */
  @ApiPropertyOptional()
  @EmptyIsAbsent()
  @IsOptionalNotNull()
  @IsText({ max: 255 })
  q?: string;

  /** The role in effect. */
  @ApiPropertyOptional({ enum: ROLES, enumName: 'UserRole' })
  @EmptyIsAbsent()
  @IsOptionalNotNull()
  @IsIn(ROLES)
  role?: UserRole;

  @QueryBoolean({ description: 'True lists disabled users, false the others; all users by default.' })
  disabled?: boolean;

  @QueryInteger({ min: 1, max: 100, default: 20, description: 'The most users to return.' })
  limit = 20;

  @QueryInteger({ min: 0, default: 0, description: 'How many users to skip.' })
  offset = 0;
}

export class ChangeRoleDto {
  @ApiProperty({ enum: ROLES, enumName: 'UserRole', example: 'admin' })
  @IsIn(ROLES)
  role!: UserRole;
}

/** A user as administrators see them: counts, never contents. */
export class AdminUserDto extends UserDto {
  @ApiProperty({ example: false })
  disabled!: boolean;

  /** Accurate to the minute. Null for a user who has never logged in. */
  @ApiProperty({ type: 'string', nullable: true, format: 'date-time', example: '2026-01-31T09:31:00.000Z' })
  last_seen_at!: string | null;

  /** Sessions that have not ended. */
  @ApiProperty({ type: 'integer', example: 2 })
  sessions!: number;

  /** Archived ones included. */
  @ApiProperty({ type: 'integer', example: 12 })
  conversations!: number;

  /** In all branches of all conversations. */
  @ApiProperty({ type: 'integer', example: 240 })
  messages!: number;

  /** Size of the uploaded files. */
  @ApiProperty({ type: 'integer', format: 'int64', example: 48213 })
  bytes_used!: number;

  static of(dto: UserDto, user: User, statistics: UserStatistics): AdminUserDto {
    return Object.assign(new AdminUserDto(), dto, {
      disabled: user.disabledAt !== null,
      last_seen_at: user.lastSeenAt?.toISOString() ?? null,
      sessions: statistics.sessions,
      conversations: user.conversationCount + user.archivedCount,
      messages: statistics.messages,
      bytes_used: user.bytesUsed,
    });
  }
}

export class AdminUserListDto {
  @ApiProperty({ type: () => [AdminUserDto] })
  users!: AdminUserDto[];

  @ApiProperty({ type: 'integer', example: 1 })
  total!: number;

  @ApiProperty({ type: 'integer', example: 20 })
  limit!: number;

  @ApiProperty({ type: 'integer', example: 0 })
  offset!: number;
}
