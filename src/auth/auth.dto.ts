import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptionalNotNull } from '../common/validation/optional.decorator.js';
import { IsText } from '../common/validation/text.decorator.js';
import { IsEmailAddress, IsLoginEmail, IsPassword, IsUsername } from './account-fields.decorator.js';

/** An existing password. Only its size is validated. */
const IsCurrentPassword = () => IsText({ min: 1, max: 128 });

const PASSWORD = 'correct horse battery staple';

export class RegisterDto {
  /** Unique without regard to case, composition, width and characters that nobody can see. */
  @ApiProperty({ example: 'ada' })
  @IsUsername()
  username!: string;

  /** Unique in all its spellings; shown as it was sent, but lower-cased. */
  @ApiProperty({ format: 'email', example: 'ada@example.com' })
  @IsEmailAddress()
  email!: string;

  /** Any Unicode. Refused when it is the username, the email address or on a list of common passwords. */
  @ApiProperty({ format: 'password', writeOnly: true, example: PASSWORD })
  @IsPassword()
  password!: string;
}

export class LoginDto {
  @ApiProperty({ format: 'email', example: 'ada@example.com' })
  @IsLoginEmail()
  email!: string;

  @ApiProperty({ format: 'password', writeOnly: true, example: PASSWORD })
  @IsCurrentPassword()
  password!: string;
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
  /** Needed once the login is 15 minutes old. */
  @ApiPropertyOptional({
    format: 'password',
    writeOnly: true,
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
  /** As when registering. */
  @ApiProperty({
    format: 'password',
    writeOnly: true,
    example: 'an even longer pass phrase',
  })
  @IsPassword()
  password!: string;
}

export class DeleteAccountDto {
  @ApiProperty({ format: 'password', writeOnly: true, example: PASSWORD })
  @IsCurrentPassword()
  current_password!: string;
}
