import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Actor } from '../../auth/actor.js';
import { CurrentActor } from '../../auth/current-user.decorator.js';
import { AdminOnly } from '../../auth/roles/admin.guard.js';
import { ApiProblems } from '../../common/errors/api-problems.decorator.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import {
  CreateInvitationDto,
  InvitationListDto,
  ListInvitationsQuery,
  CreatedInvitationDto,
} from './invitation.dto.js';
import { InvitationsService } from './invitations.service.js';

@ApiTags('Administration')
@AdminOnly()
@Controller('admin/invitations')
export class InvitationsController {
  constructor(private readonly invitations: InvitationsService) {}

  @Post()
  @ApiOperation({
    operationId: 'createInvitation',
    summary: 'Invite somebody to register',
    description:
      'The code lets one person create an account, whatever the address. It is mailed if `email` is sent, in English ' +
      'or Chinese by `Accept-Language`, as the link `<PUBLIC_URL>/#invitation=…`.',
  })
  @ApiProblems('403 mail_not_configured')
  create(
    @CurrentActor() actor: Actor,
    @Body() invitation: CreateInvitationDto,
  ): Promise<CreatedInvitationDto> {
    return this.invitations.create(actor, invitation);
  }

  @Get()
  @ApiOperation({
    operationId: 'listInvitations',
    summary: 'List the invitations, the newest first',
    description: 'Used and expired ones too, without their codes.',
  })
  list(@Query() query: ListInvitationsQuery): Promise<InvitationListDto> {
    return this.invitations.list(query);
  }

  @Post(':id/delete')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteInvitation',
    summary: 'Delete an invitation',
    description: 'Its code admits nobody from then on. Accounts that were created with it stay.',
  })
  delete(@Param('id', IdPipe) id: number): Promise<void> {
    return this.invitations.delete(id);
  }
}
