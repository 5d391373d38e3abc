import type { DefaultEventsMap, Socket } from 'socket.io';
import type { AuthService } from '../auth/auth.service.js';
import type { AccessClaims } from '../auth/tokens.service.js';
import type { EventHub } from '../events/event-hub.js';
import { ConnectionBacklog } from './connection-backlog.js';
import { LiveSession, type LiveSessionEvents } from './live-session.js';
import { conversationRoom } from './socket-audiences.js';
import type { SocketPeer } from './socket-commands.js';
import { type EventMeter, tooManyEvents } from './socket-limits.js';
import { refuse } from './socket-problem.filter.js';

interface SocketData {
  /** Of a recovered socket, that of the one before it. */
  userId: number;
  claims: AccessClaims;
  client: SocketIoClient;
  /** Gives back the places that the socket takes. */
  leave: () => void;
}

export type ChatSocket = Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>;

/** One Socket.IO socket that was admitted. There may be many that do nothing: it is small. */
export class SocketIoClient implements SocketPeer, LiveSessionEvents {
  private readonly session: LiveSession;
  private readonly backlog: ConnectionBacklog;

  constructor(
    private readonly socket: ChatSocket,
    hub: EventHub,
    auth: AuthService,
    private readonly meter: EventMeter,
  ) {
    this.session = new LiveSession(hub, auth, socket.data.claims, this);
    this.backlog = new ConnectionBacklog(socket.conn);
  }

  get userId(): number {
    return this.socket.data.userId;
  }

  join(conversationId: number): void {
    void this.socket.join(conversationRoom(conversationId));
  }

  leave(conversationId: number): void {
    void this.socket.leave(conversationRoom(conversationId));
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

  /** @returns false where the packet has to go through Engine.IO */
  sendFrame(frame: Buffer, alone: boolean): boolean {
    return this.backlog.sendFrame(frame, alone);
  }

  /** All that waits for it now is what it had missed and came back for. */
  excuse(): void {
    this.backlog.excuse();
  }

  end(): void {
    this.session.close();
    this.backlog.end();
  }

  /**
   * Counts an event: over its budget its events are refused, far over it the socket is closed.
   * @returns whether the event may be answered
   */
  mayAnswer(acknowledge: unknown): boolean {
    const verdict = this.meter.count();
    if (verdict === 'close') this.socket.conn.close();
    else if (verdict === 'refuse') refuse(this.socket, acknowledge, tooManyEvents());
    return verdict === 'answer';
  }
}
