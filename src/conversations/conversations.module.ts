import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Conversation } from './conversation.entity.js';
import { ConversationList } from './conversation-list.service.js';
import { ConversationsController } from './conversations.controller.js';
import { ConversationsService } from './conversations.service.js';
import { Message } from './messages/message.entity.js';
import { MessageSearch } from './search/message-search.js';
import { MessagesService } from './messages/messages.service.js';
import { ReplyChunk } from './messages/reply-chunk.entity.js';
import { SearchSegment } from './search/index/search-segment.entity.js';
import { SearchIndex, SearchSizes } from './search/index/search-index.js';
import { SearchIndexer } from './search/index/search-indexer.js';
import { SearchService } from './search/search.service.js';

/** Needs RunningReplies, from the chat engine. */
@Module({
  imports: [TypeOrmModule.forFeature([Conversation, Message, ReplyChunk, SearchSegment])],
  controllers: [ConversationsController],
  providers: [
    ConversationsService,
    ConversationList,
    MessagesService,
    SearchService,
    MessageSearch,
    SearchIndex,
    SearchIndexer,
    SearchSizes,
  ],
  exports: [ConversationsService, MessagesService],
})
export class ConversationsModule {}
