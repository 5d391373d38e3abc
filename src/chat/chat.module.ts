import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AiModule } from '../ai/ai.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { ConfigsModule } from '../configs/configs.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { Message } from '../conversations/messages/message.entity.js';
import { RunningReplies } from '../conversations/running-replies.js';
import { Admission } from './turns/admission.js';
import { Beginnings } from './turns/beginnings.js';
import { ChatController } from './transports/http/chat.controller.js';
import { ChatLoad } from './chat-load.js';
import { ChatGateway } from './transports/socket-io/chat.gateway.js';
import { ChatService } from './chat.service.js';
import { ChatShutdown } from './chat-shutdown.js';
import { ChatSockets } from './transports/socket-io/chat-sockets.js';
import { ChatWebSocket } from './transports/websocket/chat.websocket.js';
import { ConversationReader } from './streams/conversation-reader.js';
import { ConversationStreams } from './streams/conversation-streams.js';
import { ExchangesService } from './turns/exchanges.service.js';
import { Heartbeat } from './replies/recovery/heartbeat.js';
import { PromptService } from './replies/prompt.service.js';
import { Reaper, ReaperPace } from './replies/recovery/reaper.js';
import { RemoteReplies } from './streams/remote-replies.js';
import { ReplyAnswers } from './transports/http/reply-answers.js';
import { ReplyEngine } from './replies/reply-engine.js';
import { ReplyJournal } from './replies/reply-journal.js';
import { ReplyRetries } from './replies/recovery/reply-retries.js';
import { ReplyRunsService } from './replies/reply-runs.service.js';
import { ReplyStore } from './replies/reply-store.js';
import { EngineReplies } from './replies/running-replies.js';
import { SlowReaders } from './transports/shared/slow-readers.js';
import { SocketAudiences } from './transports/socket-io/socket-audiences.js';
import { SocketCommands } from './transports/shared/socket-commands.js';
import { SocketLimits } from './transports/shared/socket-limits.js';
import { WebSocketClients } from './transports/websocket/websocket-clients.js';

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
