import { ApiProperty } from '@nestjs/swagger';
import type { User, UserRole } from './user.entity.js';

export class UserDto {
  @ApiProperty({ type: 'integer', example: 1 })
  id!: number;

  @ApiProperty({ example: 'ada' })
  username!: string;

  /** Null for a user of an identity provider that does not vouch for the address. */
  @ApiProperty({ type: 'string', nullable: true, format: 'email', example: 'ada@example.com' })
  email!: string | null;

  /** Whether the user has shown that the address is theirs. */
  @ApiProperty({ example: false })
  email_verified!: boolean;

  /** False for a user who signs in by an identity provider alone. */
  @ApiProperty({ example: true })
  has_password!: boolean;

  /** Whether logging in takes a code of an authenticator app too. */
  @ApiProperty({ example: false })
  second_factor!: boolean;

  @ApiProperty({ enum: ['user', 'admin'], enumName: 'UserRole', example: 'user' })
  role!: UserRole;

  /** Whether the user has a model configuration. Without one, the demo model answers if it is enabled. */
  @ApiProperty({ example: false })
  has_config!: boolean;

  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  created_at!: string;

  static from(user: User, { hasConfig, role }: { hasConfig: boolean; role: UserRole }): UserDto {
    return Object.assign(new UserDto(), {
      id: user.id,
      username: user.username,
      email: user.email,
      email_verified: user.emailVerified,
      has_password: user.passwordHash !== null,
      second_factor: user.secondFactor,
      role,
      has_config: hasConfig,
      created_at: user.createdAt.toISOString(),
    } satisfies UserDto);
  }
}
