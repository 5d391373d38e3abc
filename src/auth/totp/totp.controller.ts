import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../../common/errors/api-problems.decorator.js';
import { Limit } from '../../throttling/limit.decorator.js';
import { Actor } from '../actor.js';
import { CurrentActor } from '../current-user.decorator.js';
import { TotpActivationService } from './totp-activation.service.js';
import { ConfirmTotpDto, RecoveryCodesDto, RemoveTotpDto, StartTotpDto, TotpSetupDto } from './totp.dto.js';
import { TotpRemovalService } from './totp-removal.service.js';
import { TotpSetupService } from './totp-setup.service.js';

@ApiTags('Accounts')
@ApiBearerAuth()
@Controller('auth/me/totp')
@Limit('credentials')
export class TotpController {
  constructor(
    private readonly setups: TotpSetupService,
    private readonly activations: TotpActivationService,
    private readonly removals: TotpRemovalService,
  ) {}

  @Post()
  @ApiOperation({
    operationId: 'startTotp',
    summary: 'Set up a second factor: get a secret for an authenticator app',
    description:
      'RFC 6238 with SHA-1, 6 digits and 30 s. The second factor is on once a code is confirmed; until then, another ' +
      'call replaces the secret. A user without a password leaves `current_password` out within 15 minutes of the login.',
  })
  @ApiProblems('403 reauthentication_required', '403 wrong_password', '409 totp_active', '503 unavailable')
  start(@CurrentActor() actor: Actor, @Body() dto: StartTotpDto): Promise<TotpSetupDto> {
    return this.setups.start(actor, dto);
  }

  @Post('confirm')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'confirmTotp',
    summary: 'Turn the second factor on: ends your other sessions',
    description:
      'From now on, a login needs `code`. The recovery codes are not shown again. The user is notified by mail.',
  })
  @ApiProblems('403 wrong_code', '409 no_totp_pending')
  confirm(@CurrentActor() actor: Actor, @Body() dto: ConfirmTotpDto): Promise<RecoveryCodesDto> {
    return this.activations.confirm(actor, dto);
  }

  @Post('remove')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'removeTotp',
    summary: 'Turn the second factor off',
    description:
      'Needs a code of the app or a recovery code. A user without a password leaves `current_password` out within ' +
      '15 minutes of the login. The user is notified by mail.',
  })
  @ApiProblems(
    '403 reauthentication_required',
    '403 wrong_password',
    '403 wrong_code',
    '409 totp_inactive',
    '503 unavailable',
  )
  remove(@CurrentActor() actor: Actor, @Body() dto: RemoveTotpDto): Promise<void> {
    return this.removals.remove(actor, dto);
  }
}
