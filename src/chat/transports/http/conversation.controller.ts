import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../../../auth/current-user.decorator.js';
import { User } from '../../../auth/users/user.entity.js';
import { IdPipe } from '../../../common/validation/id.pipe.js';
import { ConversationPageDto } from '../../../conversations/conversation.dto.js';
import { PageQuery } from '../../../conversations/query.dto.js';
import { LiveConversations } from '../../live-conversations.service.js';

/** Routes of ConversationsController that depend on the running reply. */
@ApiTags('Conversations')
@ApiBearerAuth()
@Controller('conversations/:id')
export class ConversationController {
  constructor(private readonly conversations: LiveConversations) {}

  @Get()
  @ApiOperation({
    operationId: 'getConversation',
    summary: 'Get a conversation with a page of its messages',
    description:
      'The newest messages of the active branch, the oldest first; a running reply with its text so far. Read older pages with the id of the first message as `before_id`.',
  })
  get(
    @CurrentUser() user: User,
    @Param('id', IdPipe) id: number,
    @Query() { limit, before_id }: PageQuery,
  ): Promise<ConversationPageDto> {
    return this.conversations.getPage(user.id, id, { limit, beforeId: before_id });
  }

  @Post('delete')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteConversation',
    summary: 'Delete a conversation, stopping its reply',
    description: 'Deletes its messages on all branches, at once and for good.',
  })
  delete(@CurrentUser() user: User, @Param('id', IdPipe) id: number): Promise<void> {
    return this.conversations.delete(user.id, id);
  }
}
