import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../../common/errors/api-problems.decorator.js';
import { Limit } from '../../throttling/limit.decorator.js';
import { type ClientInfo, CurrentClientInfo } from '../client-info.decorator.js';
import { Public } from '../public.decorator.js';
import { ForgottenPasswordService } from './forgotten-password.service.js';
import { PasswordResetService } from './password-reset.service.js';
import { ForgotPasswordDto, ResetPasswordDto } from './recovery.dto.js';

/** Resets forgotten passwords with links that are mailed. */
@ApiTags('Accounts')
@Controller('auth/password')
export class RecoveryController {
  constructor(
    private readonly forgotten: ForgottenPasswordService,
    private readonly resets: PasswordResetService,
  ) {}

  @Post('forgot')
  @HttpCode(202)
  @Public()
  @Limit('credentials')
  @ApiOperation({
    operationId: 'forgotPassword',
    summary: 'Mail a link that resets the password',
    description:
      'The response is the same whether or not the account exists. The link, `<PUBLIC_URL>/reset-password#token=…`, ' +
      'works once, for 30 minutes, and cancels earlier ones. At most three mails an hour are sent to an account. ' +
      'The language is English or Chinese, by `Accept-Language`.',
  })
  @ApiProblems('403 mail_not_configured', '503 unavailable')
  forgotPassword(
    @Body() { email }: ForgotPasswordDto,
    @CurrentClientInfo() client: ClientInfo,
  ): Promise<void> {
    return this.forgotten.requestReset(email, client);
  }

  @Post('reset')
  @HttpCode(204)
  @Public()
  @Limit('credentials')
  @ApiOperation({
    operationId: 'resetPassword',
    summary: 'Set a new password with a token that was mailed',
    description: 'Ends every session of the user. A wrong, used or expired token is 422 naming `token`.',
  })
  @ApiProblems('503 unavailable')
  resetPassword(@Body() reset: ResetPasswordDto, @CurrentClientInfo() client: ClientInfo): Promise<void> {
    return this.resets.reset(reset, client);
  }
}
