import { ApiProperty } from '@nestjs/swagger';

export class StreamTicketDto {
  /** Opens one event stream or WebSocket, as `?ticket=` in its URL. */
  @ApiProperty({ example: 'x0Yq7cT3vN2bKpE9sLwR5mUaJ8dFhG1iZ4oXtPnQyVk' })
  ticket!: string;

  /** When it can no longer be used: 30 s after it was issued, or earlier when the access token expires. */
  @ApiProperty({ format: 'date-time', example: '2026-01-31T10:30:30.000Z' })
  expires_at!: string;
}
