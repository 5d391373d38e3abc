import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsEmailAddress } from '../../auth/account-fields.decorator.js';
import type { Invitation } from '../../auth/invitations/invitation.entity.js';
import { IsFutureTime } from '../../common/validation/future-time.decorator.js';
import { IsOptionalNotNull } from '../../common/validation/optional.decorator.js';
import { QueryInteger } from '../../common/validation/query.decorators.js';

const CODE = 'bTz1xkXKzV3cQ9mJrH0pWnG5aYtE7uLsD2iOfRvC8Sw';

export class CreateInvitationDto {
  /** Address that the code is mailed to. Anybody who has the code can register, with another address too. */
  @ApiPropertyOptional({ format: 'email', example: 'ada@example.com' })
  @IsOptionalNotNull()
  @IsEmailAddress()
  email?: string;

  /** RFC 3339, in the future. Seven days from now by default. */
  @ApiPropertyOptional({ type: 'string', format: 'date-time', example: '2126-01-31T09:30:00.000Z' })
  @IsOptionalNotNull()
  @IsFutureTime()
  expires_at?: string;
}

export class InvitationDto {
  @ApiProperty({ type: 'integer', example: 1 })
  id!: number;

  /** Address that the code was mailed to. */
  @ApiProperty({ type: 'string', nullable: true, format: 'email', example: 'ada@example.com' })
  email!: string | null;

  @ApiProperty({ format: 'date-time', example: '2126-01-31T09:30:00.000Z' })
  expires_at!: string;

  /** Id of the user who registered with the code. */
  @ApiProperty({ type: 'integer', nullable: true, example: null })
  used_by!: number | null;

  static from({ id, email, expiresAt, usedBy }: Invitation): InvitationDto {
    return { id, email, expires_at: expiresAt.toISOString(), used_by: usedBy };
  }
}

export class CreatedInvitationDto extends InvitationDto {
  /** Shown only once. */
  @ApiProperty({ example: CODE })
  code!: string;
}

export class ListInvitationsQuery {
  @QueryInteger({ min: 1, max: 100, default: 20, description: 'The most invitations to return.' })
  limit = 20;

  @QueryInteger({ min: 0, default: 0, description: 'How many invitations to skip.' })
  offset = 0;
}

export class InvitationListDto {
  @ApiProperty({ type: () => [InvitationDto] })
  invitations!: InvitationDto[];

  @ApiProperty({ type: 'integer', example: 1 })
  total!: number;

  @ApiProperty({ type: 'integer', example: 20 })
  limit!: number;

  @ApiProperty({ type: 'integer', example: 0 })
  offset!: number;
}
