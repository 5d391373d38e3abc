import { FilesModule } from '../files/files.module.js';
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Conversation } from './conversation.entity.js';
import { ConversationRetention } from './conversation-retention.service.js';
import { ConversationList } from './conversation-list.service.js';
import { ConversationsController } from './conversations.controller.js';
import { ConversationsService } from './conversations.service.js';
import { Message } from './messages/message.entity.js';
import { MessageSearch, ScanSizes } from './search/message-search.js';
import { MessagesService } from './messages/messages.service.js';
import { ReplyChunk } from './messages/reply-chunk.entity.js';
import { SearchIndexModule } from './search/index/search-index.module.js';
import { SearchService } from './search/search.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Conversation, Message, ReplyChunk]), FilesModule, SearchIndexModule],
  controllers: [ConversationsController],
  providers: [
    ConversationsService,
    ConversationList,
    ConversationRetention,
    MessagesService,
    SearchService,
    MessageSearch,
    ScanSizes,
  ],
  exports: [ConversationsService, MessagesService],
})
export class ConversationsModule {}
