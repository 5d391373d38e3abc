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
  @ApiOperation({ operationId: 'listSessions', summary: 'List your sessions, the last used first' })
  async list(@CurrentSession() { id, userId }: Session): Promise<SessionListDto> {
    return SessionListDto.from(await this.sessions.list(userId), id);
  }

  @Post('revoke-others')
  @HttpCode(204)
  @ApiOperation({ operationId: 'revokeOtherSessions', summary: 'End all your sessions but this one' })
  revokeOthers(@CurrentActor() actor: Actor): Promise<void> {
    return this.sessions.revokeOthers(actor);
  }

  @Post(':id/revoke')
  @HttpCode(204)
  @ApiOperation({ operationId: 'revokeSession', summary: 'End one of your sessions' })
  revoke(@CurrentActor() actor: Actor, @Param('id', IdPipe) id: number): Promise<void> {
    return this.sessions.revoke(actor, id);
  }
}
