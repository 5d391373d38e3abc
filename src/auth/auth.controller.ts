import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../common/errors/api-problems.decorator.js';
import { Limit } from '../throttling/limit.decorator.js';
import { RegistrationService } from './users/registration.service.js';
import { LoginDto, RefreshDto, RegisterDto } from './auth.dto.js';
import { type ClientInfo, CurrentClientInfo } from './client-info.decorator.js';
import { Actor } from './actor.js';
import { CurrentActor, CurrentIdentity } from './current-user.decorator.js';
import type { Identity } from './identity.js';
import { LoginService } from './login.service.js';
import { Public } from './public.decorator.js';
import { RefreshService } from './tokens/refresh.service.js';
import { SessionsService } from './sessions/sessions.service.js';
import { StreamTicketDto } from './tokens/stream-ticket.dto.js';
import { StreamTicketsService } from './tokens/stream-tickets.service.js';
import { TokenPairDto } from './tokens/token-pair.dto.js';
import { UserDto } from './users/user.dto.js';

@ApiTags('Accounts')
@Controller('auth')
export class AuthController {
  constructor(
    private readonly registrations: RegistrationService,
    private readonly logins: LoginService,
    private readonly refreshes: RefreshService,
    private readonly sessions: SessionsService,
    private readonly tickets: StreamTicketsService,
  ) {}

  @Post('register')
  @Public()
  @Limit('credentials')
  @ApiOperation({
    operationId: 'register',
    summary: 'Create an account',
    description:
      'Does not begin a session: log in afterwards. Usernames and email addresses are unique, whatever their case or ' +
      'spelling. Whether an invitation is required depends on REGISTRATION; a wrong, used or expired one is 422 ' +
      'naming `invitation`. A link that verifies the address is mailed, unless the operator has switched that off.',
  })
  @ApiProblems(
    '403 invitation_required',
    '403 registration_closed',
    '409 username_taken',
    '409 email_taken',
    '503 unavailable',
  )
  register(@Body() dto: RegisterDto, @CurrentClientInfo() client: ClientInfo): Promise<UserDto> {
    return this.registrations.register(dto, client);
  }

  @Post('login')
  @HttpCode(200)
  @Public()
  @Limit('credentials')
  @ApiOperation({
    operationId: 'login',
    summary: 'Log in: begins a session',
    description:
      'Responds with an access token for an hour and a refresh token for a week. A wrong email address and a wrong ' +
      'password are answered alike. `code` is required of a user with a second factor: without it, the right password ' +
      'is answered with `second_factor_required`. Where the server requires verified addresses, that of an unverified ' +
      'one is 403 `email_unverified`, and the link is mailed again.',
  })
  @ApiProblems(
    '401 unauthenticated',
    '401 second_factor_required',
    '401 wrong_code',
    '403 account_disabled',
    '403 email_unverified',
    '503 unavailable',
  )
  login(@Body() dto: LoginDto, @CurrentClientInfo() client: ClientInfo): Promise<TokenPairDto> {
    return this.logins.logIn(dto, client);
  }

  @Post('refresh')
  @HttpCode(200)
  @Public()
  @Limit('credentials')
  @ApiOperation({
    operationId: 'refreshTokens',
    summary: 'Exchange a refresh token for new tokens',
    description:
      'A refresh token is used once. Using it again ends its session, except within an hour and while its ' +
      'successor is unused: then the same successor is answered again, with a new access token.',
  })
  @ApiProblems('401 unauthenticated', '401 token_expired', '401 token_revoked', '401 token_reused')
  refresh(@Body() dto: RefreshDto, @CurrentClientInfo() client: ClientInfo): Promise<TokenPairDto> {
    return this.refreshes.rotate(dto.refresh_token, client);
  }

  @Post('stream-ticket')
  @HttpCode(200)
  @ApiBearerAuth()
  @ApiOperation({
    operationId: 'createStreamTicket',
    summary: 'Get a ticket that opens one event stream or WebSocket',
    description:
      "For a browser's EventSource, which cannot set a header: `GET /conversations/{id}/events?ticket=…`, or the " +
      'WebSocket `/conversations/ws/{id}?ticket=…`. Nothing else accepts it. The stream ends with the session, and ' +
      'when the access token expires.',
  })
  createStreamTicket(@CurrentIdentity() identity: Identity): Promise<StreamTicketDto> {
    return this.tickets.issue(identity);
  }

  @Post('logout')
  @HttpCode(204)
  @ApiBearerAuth()
  @ApiOperation({
    operationId: 'logout',
    summary: 'Log out: ends the session and closes its sockets',
    description: 'Revokes the access token and the refresh token at once, on every node.',
  })
  logout(@CurrentActor() actor: Actor): Promise<void> {
    return this.sessions.logOut(actor);
  }
}
