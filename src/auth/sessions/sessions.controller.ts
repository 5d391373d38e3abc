import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { Actor } from '../actor.js';
import { CurrentActor, CurrentSession } from '../current-user.decorator.js';
import { SessionListDto } from './session.dto.js';
import { Session } from './session.entity.js';
import { SessionsService } from './sessions.service.js';

@ApiTags('Sessions')
@ApiBearerAuth()
@Controller('auth/sessions')
export class SessionsController {
  constructor(private readonly sessions: SessionsService) {}

  @Get()
  @ApiOperation({
    operationId: 'listSessions',
    summary: 'List your sessions, the last used first',
    description:
      'A session begins with a login and ends with a logout, a revocation, or a week without a refresh.',
  })
  async list(@CurrentSession() { id, userId }: Session): Promise<SessionListDto> {
    return SessionListDto.from(await this.sessions.list(userId), id);
  }

  @Post('revoke-others')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'revokeOtherSessions',
    summary: 'End all your sessions but this one',
    description: 'Their tokens stop working at once, and their sockets are closed.',
  })
  revokeOthers(@CurrentActor() actor: Actor): Promise<void> {
    return this.sessions.revokeOthers(actor);
  }

  @Post(':id/revoke')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'revokeSession',
    summary: 'End one of your sessions',
    description:
      'Its tokens stop working at once, and its sockets are closed. Revoking the session of this request is a logout.',
  })
  revoke(@CurrentActor() actor: Actor, @Param('id', IdPipe) id: number): Promise<void> {
    return this.sessions.revoke(actor, id);
  }
}
