import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Conversation } from './conversation.entity.js';
import { ConversationsController } from './conversations.controller.js';
import { ConversationsService } from './conversations.service.js';
import { Message } from './message.entity.js';
import { MessagesService } from './messages.service.js';
import { ReplyChunk } from './reply-chunk.entity.js';
import { SearchService } from './search.service.js';

/** Needs RunningReplies, from the chat engine. */
@Module({
  imports: [TypeOrmModule.forFeature([Conversation, Message, ReplyChunk])],
  controllers: [ConversationsController],
  providers: [ConversationsService, MessagesService, SearchService],
  exports: [ConversationsService, MessagesService],
})
export class ConversationsModule {}
