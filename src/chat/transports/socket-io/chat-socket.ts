import type { DefaultEventsMap, Socket } from 'socket.io';
import type { AccessClaims } from '../../../auth/identity.js';
import type { SocketPeer } from '../shared/socket-commands.js';

export interface SocketData {
  /** On a recovered socket, the user of the previous one. */
  userId: number;
  /** On a recovered socket, the conversations that the previous one had open. */
  opened?: number[];
  /** Whether the client asked for connection state recovery: events then carry their offset. */
  recovery: boolean;
  claims: AccessClaims;
  client: ChatSocketClient;
  /** Releases the socket's share of the limits. */
  release: () => void;
}

export type ChatSocket = Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>;

/** The server's side of a socket, for other files of this transport. */
export interface ChatSocketClient extends SocketPeer {
  readonly openConversations: number[];
  isOpen(conversationId: number): boolean;
  /** Counts an event against the socket's budget. @returns whether the event may be answered */
  mayAnswer(acknowledge: unknown, command: string | undefined): boolean;
  /** Grants a recovered socket the whole allowance again for the events that it missed. */
  resetAllowance(): void;
  /** Releases what the socket holds, after it is closed. */
  end(): void;
}
