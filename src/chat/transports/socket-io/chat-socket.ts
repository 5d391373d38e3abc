import type { DefaultEventsMap, Socket } from 'socket.io';
import type { AccessClaims } from '../../../auth/identity.js';
import type { SocketPeer } from '../shared/socket-commands.js';

export interface SocketData {
  /** Of a recovered socket, that of the one before it. */
  userId: number;
  /** Of a recovered socket: what the one before it had open. */
  opened?: number[];
  /** Whether its client asked for connection state recovery, and so gets each event's offset. */
  recovery: boolean;
  claims: AccessClaims;
  client: ChatSocketClient;
  /** Gives back the places that the socket takes. */
  leave: () => void;
}

export type ChatSocket = Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>;

/** The server's side of a socket: what other parts of this transport may do with it. */
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
