import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptionalNotNull } from '../common/validation/optional.decorator.js';
import { IsText } from '../common/validation/text.decorator.js';
import { IsEmailAddress, IsLoginEmail, IsPassword, IsUsername } from './account-fields.decorator.js';

/** An existing password. Only its size is validated. */
export const IsCurrentPassword = () => IsText({ min: 1, max: 128 });

export const IsInvitationCode = () => applyDecorators(IsOptionalNotNull(), IsText({ min: 1, max: 512 }));

/** A code of an authenticator app or a recovery code, in any spelling. Only its size is validated. */
export const IsSecondFactorCode = () => IsText({ min: 1, max: 64 });

const PASSWORD = 'correct horse battery staple';

export class RegisterDto {
  /** Unique; case, Unicode composition, width and invisible characters are ignored. */
  @ApiProperty({ example: 'ada' })
  @IsUsername()
  username!: string;

  /** Unique in all spellings. Stored in lower case. */
  @ApiProperty({ format: 'email', example: 'ada@example.com' })
  @IsEmailAddress()
  email!: string;

  /** Any Unicode characters. Refused if equal to the username or the email address, or on a list of common passwords. */
  @ApiProperty({ format: 'password', example: PASSWORD })
  @IsPassword()
  password!: string;

  /** Code of an invitation: required if the server registers by invitation only. */
  @ApiPropertyOptional()
  @IsInvitationCode()
  invitation?: string;
}

export class LoginDto {
  @ApiProperty({ format: 'email', example: 'ada@example.com' })
  @IsLoginEmail()
  email!: string;

  @ApiProperty({ format: 'password', example: PASSWORD })
  @IsCurrentPassword()
  password!: string;

  /** Required of a user with a second factor: of the authenticator app, or a recovery code. */
  @ApiPropertyOptional({ example: '492039' })
  @IsOptionalNotNull()
  @IsSecondFactorCode()
  code?: string;
}

export class RefreshDto {
  @ApiProperty({ example: 'bTz1xkXKzV3cQ9mJrH0pWnG5aYtE7uLsD2iOfRvC8Sw' })
  @IsText({ min: 1, max: 512 })
  refresh_token!: string;
}

export class ChangeUsernameDto {
  @ApiProperty({ example: 'ada.lovelace' })
  @IsUsername()
  username!: string;
}

class CurrentPasswordDto {
  /** Required if the login is older than 15 minutes. */
  @ApiPropertyOptional({
    format: 'password',
    example: PASSWORD,
  })
  @IsOptionalNotNull()
  @IsCurrentPassword()
  current_password?: string;
}

export class ChangeEmailDto extends CurrentPasswordDto {
  @ApiProperty({ format: 'email', example: 'ada@example.org' })
  @IsEmailAddress()
  email!: string;
}

export class ChangePasswordDto extends CurrentPasswordDto {
  /** Same rules as at registration. */
  @ApiProperty({
    format: 'password',
    example: 'an even longer pass phrase',
  })
  @IsPassword()
  password!: string;
}

export class RequiredPasswordDto {
  /** Required of a user who has a password. One without needs a login younger than 15 minutes. */
  @ApiPropertyOptional({ format: 'password', example: PASSWORD })
  @IsOptionalNotNull()
  @IsCurrentPassword()
  current_password?: string;
}

export class DeleteAccountDto extends RequiredPasswordDto {}
