import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AiModule } from '../ai/ai.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { ConfigsModule } from '../configs/configs.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { Message } from '../conversations/messages/message.entity.js';
import { RunningReplies } from '../conversations/running-replies.js';
import { Admission } from './admission.js';
import { Beginnings } from './beginnings.js';
import { ChatController } from './chat.controller.js';
import { ChatLoad } from './chat-load.js';
import { ChatGateway } from './chat.gateway.js';
import { ChatService } from './chat.service.js';
import { ChatShutdown } from './chat-shutdown.js';
import { ChatSockets } from './chat-sockets.js';
import { ChatWebSocket } from './chat.websocket.js';
import { ConversationReader } from './conversation-reader.js';
import { ConversationStreams } from './conversation-streams.js';
import { ExchangesService } from './exchanges.service.js';
import { Heartbeat } from './heartbeat.js';
import { PromptService } from './prompt.service.js';
import { Reaper, ReaperPace } from './reaper.js';
import { RemoteReplies } from './remote-replies.js';
import { ReplyAnswers } from './reply-answers.js';
import { ReplyEngine } from './reply-engine.js';
import { ReplyJournal } from './reply-journal.js';
import { ReplyRetries } from './reply-retries.js';
import { ReplyRunsService } from './reply-runs.service.js';
import { ReplyStore } from './reply-store.js';
import { EngineReplies } from './running-replies.js';
import { SlowReaders } from './slow-readers.js';
import { SocketAudiences } from './socket-audiences.js';
import { SocketCommands } from './socket-commands.js';
import { SocketLimits } from './socket-limits.js';
import { WebSocketClients } from './websocket-clients.js';

/** Global for RunningReplies alone, which ConversationsModule below asks for. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([Message]), AiModule, AuthModule, ConfigsModule, ConversationsModule],
  controllers: [ChatController],
  providers: [
    ...[Admission, Beginnings, ChatService, ExchangesService, PromptService, ReplyRunsService],
    ...[Heartbeat, Reaper, ReaperPace, RemoteReplies, ReplyRetries, ChatShutdown],
    ...[ReplyEngine, ReplyJournal, ReplyStore],
    ...[ConversationReader, ConversationStreams, ReplyAnswers, SlowReaders],
    ...[ChatGateway, ChatSockets, SocketAudiences, SocketCommands, SocketLimits],
    ...[ChatWebSocket, WebSocketClients],
    ChatLoad,
    { provide: RunningReplies, useClass: EngineReplies },
  ],
  exports: [ChatLoad, Heartbeat, RemoteReplies, RunningReplies],
})
export class ChatModule {}
