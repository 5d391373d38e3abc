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
import { type CommandName, COMMANDS, runCommand } from '../shared/command-registry.js';
import { SocketCommands } from '../shared/socket-commands.js';
import type { ChatSocket } from './chat-socket.js';
import { SocketLifecycle } from './socket-lifecycle.js';
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
    readonly commands: SocketCommands,
    private readonly lifecycle: SocketLifecycle,
  ) {}

  afterInit(namespace: Namespace): void {
    this.lifecycle.attach(namespace);
  }
}

(Object.keys(COMMANDS) as CommandName[]).forEach(addHandler);

/** Adds a command's handler to the gateway. Nest finds handlers and their DTOs by the metadata of decorated methods. */
function addHandler(name: CommandName): void {
  const { dto } = COMMANDS[name];
  const { prototype } = ChatGateway;
  const value = function (this: ChatGateway, { data }: ChatSocket, body: object) {
    return runCommand(name, 'socket.io', this.commands, data.client, body);
  };
  Object.defineProperty(prototype, name, { value });
  Reflect.defineMetadata('design:paramtypes', [Object, dto], prototype, name);
  ConnectedSocket()(prototype, name, 0);
  MessageBody()(prototype, name, 1);
  SubscribeMessage(name)(prototype, name, { value });
}
