import { SpanKind } from '@opentelemetry/api';
import { traced } from '../../../common/tracing/tracing.js';
import type { SocketCommands, SocketPeer } from './socket-commands.js';
import {
  ConversationRefDto,
  OpenConversationDto,
  SocketEditDto,
  SocketRegenerateDto,
  SocketSendDto,
  TokenDto,
} from './socket.dto.js';

interface Command {
  /** Validates the command's body. */
  dto: new () => object;
  run(commands: SocketCommands, peer: SocketPeer, dto: object): unknown;
}

function command<T extends object>(
  dto: new () => T,
  run: (commands: SocketCommands, peer: SocketPeer, dto: T) => unknown,
): Command {
  return { dto, run: run as Command['run'] };
}

/** The commands of both kinds of sockets, by name. Documented in docs/asyncapi/commands.ts. */
export const COMMANDS = {
  'conversation.open': command(OpenConversationDto, (commands, peer, dto) => commands.open(peer, dto)),
  'conversation.close': command(ConversationRefDto, (commands, peer, dto) => commands.close(peer, dto)),
  'chat.send': command(SocketSendDto, (commands, peer, dto) => commands.send(peer, dto)),
  'chat.stop': command(ConversationRefDto, (commands, peer, dto) => commands.stop(peer, dto)),
  'chat.regenerate': command(SocketRegenerateDto, (commands, peer, dto) => commands.regenerate(peer, dto)),
  'chat.edit': command(SocketEditDto, (commands, peer, dto) => commands.edit(peer, dto)),
  'auth.refresh': command(TokenDto, (commands, peer, dto) => commands.refresh(peer, dto)),
};

export type CommandName = keyof typeof COMMANDS;

/** Runs a command in a span of its own. */
export function runCommand(
  name: CommandName,
  transport: 'socket.io' | 'websocket',
  ...[commands, peer, dto]: Parameters<Command['run']>
): Promise<unknown> {
  const attributes = { 'rpc.method': name, 'network.protocol.name': transport };
  return traced(name, { kind: SpanKind.SERVER, attributes }, async () =>
    COMMANDS[name].run(commands, peer, dto),
  );
}

export function isCommandName(name: unknown): name is CommandName {
  return typeof name === 'string' && Object.hasOwn(COMMANDS, name);
}
