import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../auth/current-user.decorator.js';
import { User } from '../auth/users/user.entity.js';
import { IdPipe } from '../common/validation/id.pipe.js';
import {
  ConversationDto,
  ConversationListDto,
  CreateConversationDto,
  UpdateConversationDto,
} from './conversation.dto.js';
import { ConversationList } from './conversation-list.service.js';
import { ConversationsService } from './conversations.service.js';
import { ListConversationsQuery, SearchQuery, SearchResultsDto } from './query.dto.js';
import { SearchService } from './search/search.service.js';

@ApiTags('Conversations')
@ApiBearerAuth()
@Controller('conversations')
export class ConversationsController {
  constructor(
    private readonly conversations: ConversationsService,
    private readonly lists: ConversationList,
    private readonly searches: SearchService,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listConversations',
    summary: 'List conversations, pinned first, then newest activity',
    description:
      'Read further pages with the `next_cursor` of the previous one as `cursor`: no conversation is repeated or skipped while the list changes.',
  })
  list(@CurrentUser() user: User, @Query() query: ListConversationsQuery): Promise<ConversationListDto> {
    return this.lists.list(user, query);
  }

  @Post('create')
  @ApiOperation({
    operationId: 'createConversation',
    summary: 'Start a conversation',
    description:
      'Without a title, the first message gives one, and the model a better one after the first reply.',
  })
  create(@CurrentUser() user: User, @Body() dto: CreateConversationDto): Promise<ConversationDto> {
    return this.conversations.create(user.id, dto);
  }

  @Get('search')
  @ApiOperation({
    operationId: 'searchConversations',
    summary: 'Search titles and messages, the newest messages first',
    description:
      'Finds the text anywhere in titles and messages, in any case and width. Read further pages with `before_id`.',
  })
  search(@CurrentUser() user: User, @Query() query: SearchQuery): Promise<SearchResultsDto> {
    return this.searches.search(user.id, query);
  }

  @Post(':id/update')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'updateConversation',
    summary: 'Rename, pin, archive or set up a conversation',
    description: 'Absent fields stay as they are. A title set here is never replaced by the model.',
  })
  update(
    @CurrentUser() user: User,
    @Param('id', IdPipe) id: number,
    @Body() changes: UpdateConversationDto,
  ): Promise<ConversationDto> {
    return this.conversations.update(user.id, id, changes);
  }
}
