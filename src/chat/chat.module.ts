import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AiModule } from '../ai/ai.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { ConfigsModule } from '../configs/configs.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { Message } from '../conversations/messages/message.entity.js';
import { FileBlob } from '../files/file-blob.entity.js';
import { FilesModule } from '../files/files.module.js';
import { WebhooksModule } from '../webhooks/webhooks.module.js';
import { ReplyQuota } from './turns/reply-quota.js';
import { PendingTurns } from './turns/pending-turns.js';
import { ChatController } from './transports/http/chat.controller.js';
import { ConversationController } from './transports/http/conversation.controller.js';
import { ChatLoad } from './chat-load.js';
import { ChatGateway } from './transports/socket-io/chat.gateway.js';
import { ChatService } from './chat.service.js';
import { LiveConversations } from './live-conversations.service.js';
import { TurnStarter } from './turn-starter.service.js';
import { ConversationHeads } from './turns/conversation-heads.js';
import { SendBatches } from './turns/send-batches.js';
import { ChatShutdown } from './chat-shutdown.js';
import { SocketLifecycle } from './transports/socket-io/socket-lifecycle.js';
import { ChatWebSocket } from './transports/websocket/chat.websocket.js';
import { ConversationReader } from './streams/conversation-reader.js';
import { ConversationStream } from './streams/conversation-stream.js';
import { ReplyStream } from './streams/reply-stream.js';
import { StreamJoin } from './streams/stream-join.js';
import { TurnsService } from './turns/turns.service.js';
import { Heartbeat } from './replies/recovery/heartbeat.js';
import { BranchReader } from './replies/prompts/branch-reader.js';
import { PromptFiles } from './replies/prompts/prompt-files.service.js';
import { PromptService } from './replies/prompts/prompt.service.js';
import { TurnFiles } from './replies/prompts/turn-files.service.js';
import { RecoveryPace } from './replies/recovery/recovery-pace.js';
import { RecoveryScan } from './replies/recovery/recovery-scan.js';
import { ReplyRecovery } from './replies/recovery/reply-recovery.js';
import { RemoteReplies } from './streams/remote-replies.js';
import { ReplyResponder } from './transports/http/reply-responder.js';
import { AbandonedReplies } from './replies/abandoned-replies.js';
import { ReplyEngine } from './replies/reply-engine.js';
import { ReplyStopper } from './replies/reply-stopper.js';
import { TitleService } from './replies/titles/title.service.js';
import { ReplyWriteBuffer } from './replies/reply-write-buffer.js';
import { ReplyRetries } from './replies/recovery/reply-retries.js';
import { ReplyRunFactory } from './replies/reply-run-factory.js';
import { ReplyEndRecords } from './replies/reply-end-records.js';
import { ReplyRepository } from './replies/reply-repository.js';
import { StalledConnections } from './transports/shared/stalled-connections.js';
import { UserSocketRegistry } from './transports/socket-io/user-socket-registry.js';
import { SocketCommands } from './transports/shared/socket-commands.js';
import { SocketLimits } from './transports/shared/socket-limits.js';
import { WebSocketClients } from './transports/websocket/websocket-clients.js';

@Module({
  imports: [
    TypeOrmModule.forFeature([Message, FileBlob]),
    AiModule,
    AuthModule,
    ConfigsModule,
    ConversationsModule,
    FilesModule,
    WebhooksModule,
  ],
  controllers: [ConversationController, ChatController],
  providers: [
    ...[ChatService, TurnStarter, LiveConversations],
    ...[TurnsService, ConversationHeads, SendBatches, PendingTurns, ReplyQuota],
    ...[PromptService, BranchReader, PromptFiles, TurnFiles, TitleService, ReplyRunFactory],
    ...[Heartbeat, RecoveryPace, RecoveryScan, ReplyRecovery, ReplyRetries, RemoteReplies, ChatShutdown],
    ...[ReplyEngine, ReplyWriteBuffer, ReplyRepository, ReplyEndRecords, ReplyStopper, AbandonedReplies],
    ...[ConversationReader, StreamJoin, ConversationStream, ReplyStream, ReplyResponder, StalledConnections],
    ...[ChatGateway, SocketLifecycle, UserSocketRegistry, SocketCommands, SocketLimits],
    ...[ChatWebSocket, WebSocketClients],
    ChatLoad,
  ],
  exports: [ChatLoad, Heartbeat, RemoteReplies],
})
export class ChatModule {}
