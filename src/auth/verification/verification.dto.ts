import { ApiProperty } from '@nestjs/swagger';
import { IsText } from '../../common/validation/text.decorator.js';

export class VerifyEmailDto {
  /** From the link in the mail: what follows `#token=`. */
  @ApiProperty({ example: 'bTz1xkXKzV3cQ9mJrH0pWnG5aYtE7uLsD2iOfRvC8Sw' })
  @IsText({ min: 1, max: 512 })
  token!: string;
}
