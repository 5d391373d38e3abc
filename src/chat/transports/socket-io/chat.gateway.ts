import { UseFilters, UseInterceptors, UsePipes } from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  OnGatewayInit,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import type { Namespace } from 'socket.io';
import { bodyPipe } from '../../../common/validation/validation.js';
import { SocketLifecycle } from './socket-lifecycle.js';
import { SocketCommands } from '../shared/socket-commands.js';
import type { ChatSocket } from './chat-socket.js';
import {
  ConversationRefDto,
  OpenConversationDto,
  SocketEditDto,
  SocketRegenerateDto,
  SocketSendDto,
  TokenDto,
} from '../shared/socket.dto.js';
import { AcknowledgeInterceptor, SocketProblemFilter } from './socket-problem.filter.js';

/**
 * Socket.IO transport. Nest 12 runs global guards, interceptors and pipes on gateways but no global filters; the
 * global guards and the logging interceptor skip every context but `http`.
 */
@WebSocketGateway({ namespace: '/chat' })
@UsePipes(bodyPipe())
@UseFilters(SocketProblemFilter)
@UseInterceptors(AcknowledgeInterceptor)
export class ChatGateway implements OnGatewayInit<Namespace> {
  constructor(
    private readonly commands: SocketCommands,
    private readonly lifecycle: SocketLifecycle,
  ) {}

  afterInit(namespace: Namespace): void {
    this.lifecycle.attach(namespace);
  }

  @SubscribeMessage('conversation.open')
  open(@ConnectedSocket() socket: ChatSocket, @MessageBody() dto: OpenConversationDto) {
    return this.commands.open(socket.data.client, dto);
  }

  @SubscribeMessage('conversation.close')
  close(@ConnectedSocket() socket: ChatSocket, @MessageBody() dto: ConversationRefDto) {
    return this.commands.close(socket.data.client, dto);
  }

  @SubscribeMessage('chat.send')
  send(@ConnectedSocket() socket: ChatSocket, @MessageBody() dto: SocketSendDto) {
    return this.commands.send(socket.data.client, dto);
  }

  @SubscribeMessage('chat.stop')
  stop(@ConnectedSocket() socket: ChatSocket, @MessageBody() dto: ConversationRefDto) {
    return this.commands.stop(socket.data.client, dto);
  }

  @SubscribeMessage('chat.regenerate')
  regenerate(@ConnectedSocket() socket: ChatSocket, @MessageBody() dto: SocketRegenerateDto) {
    return this.commands.regenerate(socket.data.client, dto);
  }

  @SubscribeMessage('chat.edit')
  edit(@ConnectedSocket() socket: ChatSocket, @MessageBody() dto: SocketEditDto) {
    return this.commands.edit(socket.data.client, dto);
  }

  @SubscribeMessage('auth.refresh')
  refresh(@ConnectedSocket() socket: ChatSocket, @MessageBody() dto: TokenDto) {
    return this.commands.refresh(socket.data.client, dto);
  }
}
