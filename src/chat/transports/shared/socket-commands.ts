import { Injectable } from '@nestjs/common';
import { tokenOfAnotherUser } from '../../../auth/auth.errors.js';
import { AuthService } from '../../../auth/guard/auth.service.js';
import { type AccessClaims, claimsOf } from '../../../auth/identity.js';
import type { ConversationPageDto } from '../../../conversations/conversation.dto.js';
import { TurnDto } from '../../chat.dto.js';
import { ChatService } from '../../chat.service.js';
import { LiveConversations } from '../../live-conversations.service.js';
import { ConversationStream } from '../../streams/conversation-stream.js';
import { ReplyStream } from '../../streams/reply-stream.js';
import type { Turn } from '../../turns/turn.js';
import {
  ConversationRefDto,
  EmptyDto,
  OpenConversationDto,
  SocketEditDto,
  SocketRegenerateDto,
  SocketSendDto,
  StoppedReplyDto,
  TokenDto,
  TokenExpiryDto,
} from './socket.dto.js';

/** A connected client of either kind of socket. */
export interface SocketPeer {
  readonly userId: number;
  /** Sends the conversation's deltas from this tick on. */
  join(conversationId: number): void;
  leave(conversationId: number): void;
  renew(claims: AccessClaims): void;
  /** Runs a command with a long answer once the previous answer is sent. */
  runPaced<T>(command: () => Promise<T>): Promise<T>;
}

/** The commands of Socket.IO and WebSocket clients. */
@Injectable()
export class SocketCommands {
  constructor(
    private readonly chat: ChatService,
    private readonly conversations: LiveConversations,
    private readonly stream: ConversationStream,
    private readonly replies: ReplyStream,
    private readonly auth: AuthService,
  ) {}

  /** Paced: a client that reconnects opens all of its conversations at once. */
  open(peer: SocketPeer, dto: OpenConversationDto): Promise<ConversationPageDto> {
    return peer.runPaced(() => this.openNow(peer, dto));
  }

  close(peer: SocketPeer, { conversation_id }: ConversationRefDto): EmptyDto {
    peer.leave(conversation_id);
    return {};
  }

  async send(peer: SocketPeer, { conversation_id, ...message }: SocketSendDto): Promise<TurnDto> {
    return this.join(peer, await this.chat.send(peer.userId, conversation_id, message));
  }

  async regenerate(
    peer: SocketPeer,
    { conversation_id, message_id, ...rest }: SocketRegenerateDto,
  ): Promise<TurnDto> {
    return this.join(peer, await this.chat.regenerate(peer.userId, conversation_id, message_id, rest));
  }

  async edit(peer: SocketPeer, { conversation_id, message_id, ...rest }: SocketEditDto): Promise<TurnDto> {
    return this.join(peer, await this.chat.edit(peer.userId, conversation_id, message_id, rest));
  }

  async stop(peer: SocketPeer, { conversation_id }: ConversationRefDto): Promise<StoppedReplyDto> {
    return { assistant_message: await this.conversations.stop(peer.userId, conversation_id) };
  }

  /** @throws {UnauthenticatedError} also for a token of another user */
  async refresh(peer: SocketPeer, { token }: TokenDto): Promise<TokenExpiryDto> {
    const identity = await this.auth.authenticate(token);
    if (identity.user.id !== peer.userId) throw tokenOfAnotherUser();
    peer.renew(claimsOf(identity));
    return { expires_at: new Date(identity.expiresAt).toISOString() };
  }

  private async openNow(
    peer: SocketPeer,
    { conversation_id, limit }: OpenConversationDto,
  ): Promise<ConversationPageDto> {
    let page!: ConversationPageDto;
    await this.stream.open(peer.userId, conversation_id, limit, (read) => {
      page = read;
      peer.join(conversation_id);
    });
    return page;
  }

  private async join(peer: SocketPeer, { userMessage, assistantMessage }: Turn): Promise<TurnDto> {
    let answer!: TurnDto;
    await this.replies.joinReply(peer.userId, assistantMessage, (reply) => {
      answer = { user_message: userMessage, assistant_message: reply };
      peer.join(reply.conversation_id);
    });
    return answer;
  }
}
