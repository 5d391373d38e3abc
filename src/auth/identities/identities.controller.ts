import { Body, Controller, Get, HttpCode, Param, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { ApiProblems } from '../../common/errors/api-problems.decorator.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { Limit } from '../../throttling/limit.decorator.js';
import { Actor } from '../actor.js';
import { type ClientInfo, CurrentClientInfo } from '../client-info.decorator.js';
import { CurrentActor, CurrentUser } from '../current-user.decorator.js';
import { Public } from '../public.decorator.js';
import { User } from '../users/user.entity.js';
import { ExchangeService } from './exchange.service.js';
import { IdentitiesService } from './identities.service.js';
import { ExchangedDto, ExchangeDto, IdentityDto, IdentityListDto, LinkIdentityDto } from './identity.dto.js';

@ApiTags('Accounts')
@Controller('auth')
export class IdentitiesController {
  constructor(
    private readonly exchanges: ExchangeService,
    private readonly identities: IdentitiesService,
  ) {}

  @Post('exchange')
  @HttpCode(200)
  @Public()
  @Limit('credentials')
  @ApiOperation({
    operationId: 'exchange',
    summary: 'Log in with an ID token of an OpenID provider',
    description:
      'The issuer and audience must be in OIDC_PROVIDERS. The first exchange of an identity creates the user, if ' +
      'REGISTRATION admits it. An address that another account has is 409: log in there and link the identity.',
  })
  @ApiProblems(
    '401 invalid_id_token',
    '401 unauthenticated',
    '401 second_factor_required',
    '401 wrong_code',
    '403 account_disabled',
    '403 invitation_required',
    '403 registration_closed',
    '409 email_taken',
    '503 identity_provider_unavailable',
  )
  exchange(@Body() dto: ExchangeDto, @CurrentClientInfo() client: ClientInfo): Promise<ExchangedDto> {
    return this.exchanges.exchange(dto, client);
  }

  @Get('identities')
  @ApiBearerAuth()
  @ApiOperation({
    operationId: 'listIdentities',
    summary: 'List the identities that sign you in',
    description: 'Accounts at OpenID providers, the oldest first.',
  })
  async list(@CurrentUser() user: User): Promise<IdentityListDto> {
    return { identities: await this.identities.list(user.id) };
  }

  @Post('identities')
  @Limit('credentials')
  @ApiBearerAuth()
  @ApiOperation({
    operationId: 'linkIdentity',
    summary: 'Link an identity, to log in with it',
    description: '`current_password` is required unless the login is younger than 15 minutes.',
  })
  @ApiOkResponse({ type: IdentityDto, description: 'It was linked already.' })
  @ApiProblems(
    '401 invalid_id_token',
    '401 unauthenticated',
    '401 token_expired',
    '401 token_revoked',
    '403 reauthentication_required',
    '403 wrong_password',
    '409 identity_in_use',
    '503 identity_provider_unavailable',
    '503 unavailable',
  )
  async link(
    @CurrentActor() actor: Actor,
    @Body() dto: LinkIdentityDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<IdentityDto> {
    const { identity, isNew } = await this.identities.link(actor, dto);
    response.status(isNew ? 201 : 200);
    return identity;
  }

  @Post('identities/:id/delete')
  @HttpCode(204)
  @ApiBearerAuth()
  @ApiOperation({
    operationId: 'unlinkIdentity',
    summary: 'Unlink an identity',
    description: 'Sessions stay. The last identity of a user without a password cannot be unlinked.',
  })
  @ApiProblems('409 last_login_method')
  unlink(@CurrentActor() actor: Actor, @Param('id', IdPipe) id: number): Promise<void> {
    return this.identities.unlink(actor, id);
  }
}
