import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../../common/errors/api-problems.decorator.js';
import { Limit } from '../../throttling/limit.decorator.js';
import type { Actor } from '../actor.js';
import { type ClientInfo, CurrentClientInfo } from '../client-info.decorator.js';
import { CurrentActor } from '../current-user.decorator.js';
import { Public } from '../public.decorator.js';
import { EmailVerificationService } from './email-verification.service.js';
import { VerifyEmailDto } from './verification.dto.js';

@ApiTags('Accounts')
@Controller('auth/email')
export class VerificationController {
  constructor(private readonly verification: EmailVerificationService) {}

  @Post('verification')
  @HttpCode(202)
  @Limit('credentials')
  @ApiBearerAuth()
  @ApiOperation({
    operationId: 'requestEmailVerification',
    summary: 'Mail the link that verifies your email address again',
    description:
      'The link, `<PUBLIC_URL>/verify-email#token=…`, works once, for 24 hours, and cancels earlier ones. It goes to ' +
      'the address that waits for verification, the new one of a change included. At most three mails an hour are ' +
      'sent to an account; the response is the same beyond. The language is English or Chinese, by `Accept-Language`.',
  })
  @ApiProblems('403 mail_not_configured', '409 already_verified', '503 unavailable')
  requestVerification(@CurrentActor() actor: Actor): Promise<void> {
    return this.verification.mailAgain(actor);
  }

  @Post('verify')
  @HttpCode(204)
  @Public()
  @Limit('credentials')
  @ApiOperation({
    operationId: 'verifyEmail',
    summary: 'Verify an email address with a token that was mailed to it',
    description:
      'A wrong, used or expired token is 422 naming `token`. A changed address that waited for this takes effect, ' +
      'unless another account has it by now.',
  })
  @ApiProblems('409 email_taken', '503 unavailable')
  verifyEmail(@Body() { token }: VerifyEmailDto, @CurrentClientInfo() client: ClientInfo): Promise<void> {
    return this.verification.verify(token, client);
  }
}
