import { ApiProperty } from '@nestjs/swagger';
import { ACCESS_TOKEN_SECONDS, REFRESH_TOKEN_SECONDS } from '../sessions/token-lifetimes.js';

export class TokenPairDto {
  /** A JWT, to be sent as `Authorization: Bearer <access_token>`. */
  @ApiProperty({ example: 'eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzaWQiOjF9.c2lnbmF0dXJl' })
  access_token!: string;

  /** Good for one refresh, which gives the next one. */
  @ApiProperty({ example: 'bTz1xkXKzV3cQ9mJrH0pWnG5aYtE7uLsD2iOfRvC8Sw' })
  refresh_token!: string;

  @ApiProperty({ enum: ['bearer'], example: 'bearer' })
  token_type!: 'bearer';

  /** Seconds that the access token lives. */
  @ApiProperty({ type: 'integer', format: 'int32', example: ACCESS_TOKEN_SECONDS })
  expires_in!: number;

  /** Seconds that the refresh token lives. */
  @ApiProperty({ type: 'integer', format: 'int32', example: REFRESH_TOKEN_SECONDS })
  refresh_expires_in!: number;

  static from(accessToken: string, refreshToken: string): TokenPairDto {
    return Object.assign(new TokenPairDto(), {
      access_token: accessToken,
      refresh_token: refreshToken,
      token_type: 'bearer',
      expires_in: ACCESS_TOKEN_SECONDS,
      refresh_expires_in: REFRESH_TOKEN_SECONDS,
    } satisfies TokenPairDto);
  }
}
