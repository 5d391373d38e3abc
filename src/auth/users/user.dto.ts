import { ApiProperty } from '@nestjs/swagger';
import type { User } from './user.entity.js';

export class UserDto {
  @ApiProperty({ type: 'integer', example: 1 })
  id!: number;

  @ApiProperty({ example: 'ada' })
  username!: string;

  @ApiProperty({ format: 'email', example: 'ada@example.com' })
  email!: string;

  /** Whether the user has a model configuration. Without one, the demo model answers if it is enabled. */
  @ApiProperty({ example: false })
  has_config!: boolean;

  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  created_at!: string;

  static from(user: User, hasConfig: boolean): UserDto {
    return Object.assign(new UserDto(), {
      id: user.id,
      username: user.username,
      email: user.email,
      has_config: hasConfig,
      created_at: user.createdAt.toISOString(),
    } satisfies UserDto);
  }
}
