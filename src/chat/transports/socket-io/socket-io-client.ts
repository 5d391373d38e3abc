import type { AuthService } from '../../../auth/guard/auth.service.js';
import type { AccessClaims } from '../../../auth/identity.js';
import type { ConversationStream } from '../../streams/conversation-stream.js';
import { EngineBackpressure } from './engine-backpressure.js';
import { ConnectionSession, type ConnectionSessionEvents } from '../shared/connection-session.js';
import { PacedCommands } from '../shared/paced-commands.js';
import type { UserSocketRegistry } from './user-socket-registry.js';
import { type EventMeter, tooManyEvents } from '../shared/socket-limits.js';
import type { ChatSocket, ChatSocketClient } from './chat-socket.js';
import { refuse } from './socket-problem.filter.js';

/** One authenticated Socket.IO socket. Most are idle, so it holds little. */
export class SocketIoClient implements ChatSocketClient, ConnectionSessionEvents {
  private readonly session: ConnectionSession;
  private readonly backpressure: EngineBackpressure;
  /** Created with the first conversation: many sockets have none. */
  private opened?: Set<number>;
  private commands?: PacedCommands;
  private hasEnded = false;

  constructor(
    private readonly socket: ChatSocket,
    stream: ConversationStream,
    auth: AuthService,
    private readonly registry: UserSocketRegistry,
    private readonly meter: EventMeter,
  ) {
    this.session = new ConnectionSession(stream, auth, socket.data.claims, this);
    this.backpressure = new EngineBackpressure(socket.conn);
  }

  get userId(): number {
    return this.socket.data.userId;
  }

  get openConversations(): number[] {
    return [...(this.opened ?? [])];
  }

  isOpen(conversationId: number): boolean {
    return this.opened?.has(conversationId) ?? false;
  }

  runPaced<T>(command: () => Promise<T>): Promise<T> {
    this.commands ??= new PacedCommands(this.backpressure, () => this.socket.connected);
    return this.commands.run(command);
  }

  /** No effect after the socket has disconnected: a command may outlast it. */
  join(conversationId: number): void {
    if (this.hasEnded) return;
    this.opened ??= new Set();
    this.opened.add(conversationId);
    this.registry.open(this.userId, conversationId);
  }

  leave(conversationId: number): void {
    this.opened?.delete(conversationId);
    this.registry.close(this.userId, conversationId);
  }

  renew(newer: AccessClaims): void {
    this.session.renew(newer);
  }

  expiring(expiresAt: Date): void {
    this.socket.emit('session.expiring', { expires_at: expiresAt.toISOString() });
  }

  ended(): void {
    this.socket.disconnect(true);
  }

  resume(): void {
    this.socket.conn.close();
  }

  /** Exempts everything that is buffered now from the limit: it was sent to catch up. */
  resetAllowance(): void {
    this.backpressure.resetAllowance();
  }

  end(): void {
    this.session.close();
    this.backpressure.end();
    this.hasEnded = true;
    this.openConversations.forEach((id) => this.leave(id));
  }

  /**
   * Counts an event: over its budget its events are refused, far over it the socket is closed.
   * @param command name of a known command
   * @returns whether the event may be answered
   */
  mayAnswer(acknowledge: unknown, command: string | undefined): boolean {
    const verdict = this.meter.count();
    if (verdict !== 'answer') refuse(this.socket, acknowledge, tooManyEvents(), command);
    if (verdict === 'close') this.socket.conn.close();
    return verdict === 'answer';
  }
}
