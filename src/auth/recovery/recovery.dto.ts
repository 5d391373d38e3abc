import { ApiProperty } from '@nestjs/swagger';
import { IsText } from '../../common/validation/text.decorator.js';
import { IsLoginEmail, IsPassword } from '../account-fields.decorator.js';

export class ForgotPasswordDto {
  @ApiProperty({ format: 'email', example: 'ada@example.com' })
  @IsLoginEmail()
  email!: string;
}

export class ResetPasswordDto {
  /** From the link in the mail: what follows `#token=`. */
  @ApiProperty({ example: 'bTz1xkXKzV3cQ9mJrH0pWnG5aYtE7uLsD2iOfRvC8Sw' })
  @IsText({ min: 1, max: 512 })
  token!: string;

  /** Same rules as at registration. */
  @ApiProperty({ format: 'password', example: 'an even longer pass phrase' })
  @IsPassword()
  password!: string;
}
