import { ApiProperty } from '@nestjs/swagger';
import { IsSecondFactorCode, RequiredPasswordDto } from '../auth.dto.js';

export class StartTotpDto extends RequiredPasswordDto {}

export class ConfirmTotpDto {
  /** Of the authenticator app. */
  @ApiProperty({ example: '492039' })
  @IsSecondFactorCode()
  code!: string;
}

export class RemoveTotpDto extends RequiredPasswordDto {
  /** Of the authenticator app, or a recovery code. */
  @ApiProperty({ example: '492039' })
  @IsSecondFactorCode()
  code!: string;
}

export class TotpSetupDto {
  /** Base32, for apps that cannot scan a QR code. */
  @ApiProperty({ example: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ' })
  secret!: string;

  /** Content of the QR code that authenticator apps scan. */
  @ApiProperty({
    example:
      'otpauth://totp/chat.example.com:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=chat.example.com',
  })
  otpauth_url!: string;
}

export class RecoveryCodesDto {
  /** Ten codes, each of which works once in place of a code of the app. Not shown again. */
  @ApiProperty({ type: [String], example: ['k5uq-7mzd-3hvb-xw2e-rj4n-c6ta'] })
  recovery_codes!: string[];
}
