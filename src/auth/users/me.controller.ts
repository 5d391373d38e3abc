import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../../common/errors/api-problems.decorator.js';
import { Limit } from '../../throttling/limit.decorator.js';
import { AccountDeletionService } from './account-deletion.service.js';
import { EmailChangeService } from './email-change.service.js';
import { UsersService } from './users.service.js';
import { ChangeEmailDto, ChangePasswordDto, ChangeUsernameDto, DeleteAccountDto } from '../auth.dto.js';
import { Actor } from '../actor.js';
import { CurrentActor, CurrentUser } from '../current-user.decorator.js';
import { PasswordChangeService } from '../passwords/password-change.service.js';
import { UserDto } from './user.dto.js';
import { User } from './user.entity.js';

@ApiTags('Accounts')
@ApiBearerAuth()
@Controller('auth/me')
export class MeController {
  constructor(
    private readonly users: UsersService,
    private readonly emailChanges: EmailChangeService,
    private readonly passwordChanges: PasswordChangeService,
    private readonly deletions: AccountDeletionService,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'getMe',
    summary: 'Get your account',
    description: 'The user whose access token the request carries.',
  })
  get(@CurrentUser() user: User): Promise<UserDto> {
    return this.users.get(user);
  }

  @Post('username')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'changeUsername',
    summary: 'Change your username',
    description: 'Sessions and tokens stay valid.',
  })
  @ApiProblems('409 username_taken')
  changeUsername(@CurrentActor() actor: Actor, @Body() dto: ChangeUsernameDto): Promise<UserDto> {
    return this.users.changeUsername(actor, dto);
  }

  @Post('email')
  @HttpCode(200)
  @Limit('credentials')
  @ApiOperation({
    operationId: 'changeEmail',
    summary: 'Change your email address',
    description:
      'The new address is the one to log in with. It is not verified, the link that verifies it is mailed to it, and the ' +
      'old address is notified. Where the server requires verified addresses, the change takes effect once the link is ' +
      'used; until then the response shows the old address. `current_password` is required unless the login is younger ' +
      'than 15 minutes.',
  })
  @ApiProblems('403 reauthentication_required', '403 wrong_password', '409 email_taken', '503 unavailable')
  changeEmail(@CurrentActor() actor: Actor, @Body() dto: ChangeEmailDto): Promise<UserDto> {
    return this.emailChanges.change(actor, dto);
  }

  @Post('password')
  @HttpCode(204)
  @Limit('credentials')
  @ApiOperation({
    operationId: 'changePassword',
    summary: 'Change your password: ends your other sessions',
    description:
      'This session stays valid. `current_password` is required unless the login is younger than 15 minutes.',
  })
  @ApiProblems('403 reauthentication_required', '403 wrong_password', '503 unavailable')
  changePassword(@CurrentActor() actor: Actor, @Body() dto: ChangePasswordDto): Promise<void> {
    return this.passwordChanges.change(actor, dto);
  }

  @Post('delete')
  @HttpCode(204)
  @Limit('credentials')
  @ApiOperation({
    operationId: 'deleteAccount',
    summary: 'Delete your account and all that it owns',
    description:
      'Deletes conversations, configurations and sessions with it, at once and for good. Running replies are stopped.',
  })
  @ApiProblems('403 reauthentication_required', '403 wrong_password', '409 last_admin', '503 unavailable')
  delete(@CurrentActor() actor: Actor, @Body() dto: DeleteAccountDto): Promise<void> {
    return this.deletions.delete(actor, dto.current_password);
  }
}
