import { ApiProperty } from '@nestjs/swagger';
import type { Session } from './session.entity.js';

export class SessionDto {
  @ApiProperty({ type: 'integer', example: 1 })
  id!: number;

  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  created_at!: string;

  /** Accurate to the minute. */
  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:31:00.000Z' })
  last_used_at!: string;

  /** The client's address at login. */
  @ApiProperty({ example: '203.0.113.7' })
  ip!: string;

  @ApiProperty({ example: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' })
  user_agent!: string;

  /** Whether this request belongs to the session. */
  @ApiProperty({ example: true })
  current!: boolean;

  static from(session: Session, currentId: number): SessionDto {
    return Object.assign(new SessionDto(), {
      id: session.id,
      created_at: session.createdAt.toISOString(),
      last_used_at: session.lastUsedAt.toISOString(),
      ip: session.ip,
      user_agent: session.userAgent,
      current: session.id === currentId,
    } satisfies SessionDto);
  }
}

export class SessionListDto {
  @ApiProperty({ type: () => [SessionDto] })
  sessions!: SessionDto[];

  static from(sessions: Session[], currentId: number): SessionListDto {
    const dtos = sessions.map((session) => SessionDto.from(session, currentId));
    return Object.assign(new SessionListDto(), { sessions: dtos });
  }
}
