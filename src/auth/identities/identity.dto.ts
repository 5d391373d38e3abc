import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptionalNotNull } from '../../common/validation/optional.decorator.js';
import { IsText } from '../../common/validation/text.decorator.js';
import { IsCurrentPassword, IsInvitationCode, IsSecondFactorCode } from '../auth.dto.js';
import { TokenPairDto } from '../tokens/token-pair.dto.js';
import type { ExternalIdentity } from './external-identity.entity.js';

const ISSUER = 'https://login.example.com/';
const SUBJECT = 'auth0|507f1f77bcf86cd799439020';
const ID_TOKEN = 'eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';

class IdTokenDto {
  /** An ID token of an issuer in OIDC_PROVIDERS, at most 10 minutes old. */
  @ApiProperty({ example: ID_TOKEN })
  @IsText({ min: 1, max: 65_536 })
  id_token!: string;
}

export class ExchangeDto extends IdTokenDto {
  /** Code of an invitation, for the first exchange of an identity. */
  @ApiPropertyOptional()
  @IsInvitationCode()
  invitation?: string;

  /** Code of the authenticator app, or a recovery code, if the account has a second factor. */
  @ApiPropertyOptional()
  @IsOptionalNotNull()
  @IsSecondFactorCode()
  code?: string;
}

export class LinkIdentityDto extends IdTokenDto {
  /** Required if the login is older than 15 minutes. */
  @ApiPropertyOptional({ format: 'password', example: 'correct horse battery staple' })
  @IsOptionalNotNull()
  @IsCurrentPassword()
  current_password?: string;
}

export class ExchangedDto extends TokenPairDto {
  /** Whether this exchange created the user. */
  @ApiProperty({ example: false })
  created!: boolean;
}

export class IdentityDto {
  @ApiProperty({ type: 'integer', example: 1 })
  id!: number;

  /** The `iss` of its ID tokens. */
  @ApiProperty({ example: ISSUER })
  issuer!: string;

  /** The `sub` of its ID tokens. */
  @ApiProperty({ example: SUBJECT })
  subject!: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  created_at!: string;

  static from({ id, issuer, subject, createdAt }: ExternalIdentity): IdentityDto {
    return { id, issuer, subject, created_at: createdAt.toISOString() };
  }
}

export class IdentityListDto {
  @ApiProperty({ type: () => [IdentityDto] })
  identities!: IdentityDto[];
}
