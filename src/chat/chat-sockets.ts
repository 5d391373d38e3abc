import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Express } from 'express';
import type { DefaultEventsMap, Namespace, Socket } from 'socket.io';
import { noToken } from '../auth/auth.errors.js';
import { AuthService } from '../auth/auth.service.js';
import { bearerToken } from '../auth/bearer-token.js';
import { claimsOf, type Identity } from '../auth/identity.js';
import type { AccessClaims } from '../auth/tokens.service.js';
import { NotFoundError, UnauthenticatedError, ValidationFailedError } from '../common/errors.js';
import { addressOf } from '../common/handshake.js';
import { EventHub } from '../events/event-hub.js';
import { ConnectionBacklog } from './connection-backlog.js';
import { LiveSession } from './live-session.js';
import type { RecoveryAdapter } from './recovery.adapter.js';
import { conversationRoom, SocketAudiences, userRoom } from './socket-audiences.js';
import type { SocketPeer } from './socket-commands.js';
import { SocketLimits, tooManyEvents } from './socket-limits.js';
import { refusal, refuse } from './socket-problem.filter.js';

interface SocketData {
  /** Of a recovered socket, that of the one before it. */
  userId: number;
  claims: AccessClaims;
  peer: SocketPeer;
  endings: (() => void)[];
}

export type ChatSocket = Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>;

/** The life of Socket.IO sockets: who may connect, what they are brought up with, and when they end. */
@Injectable()
export class ChatSockets {
  private namespace!: Namespace;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly auth: AuthService,
    private readonly hub: EventHub,
    private readonly limits: SocketLimits,
    private readonly audiences: SocketAudiences,
  ) {}

  attach(namespace: Namespace): void {
    this.namespace = namespace;
    this.audiences.attach(namespace);
    const { adapter } = namespace as unknown as { adapter: RecoveryAdapter };
    adapter.canBringUp = (userId, offset) => this.audiences.missedSince(userId, offset) !== null;
    namespace.use((socket, next) => {
      this.admit(socket).then(
        () => next(),
        (error: unknown) => next(connectError(error, socket.id)),
      );
    });
    // Without a namespace there is nothing to talk about, nor a login to hold the connection.
    namespace.server.of('/').use(({ id }, next) => next(connectError(new NotFoundError('namespace'), id)));
  }

  connected(socket: ChatSocket): void {
    const { userId, claims, endings } = socket.data;
    const session = new LiveSession(this.hub, this.auth, claims, {
      expiring: (expiresAt) => socket.emit('session.expiring', { expires_at: expiresAt.toISOString() }),
      ended: () => socket.disconnect(true),
      resume: () => socket.conn.close(),
    });
    const backlog = new ConnectionBacklog(socket.conn);
    endings.push(
      () => session.close(),
      () => backlog.end(),
      this.audiences.join(userId),
    );
    socket.data.peer = peerOf(socket, session);
    void socket.join(userRoom(userId));
    this.meter(socket);
    if (socket.recovered) this.bringUp(socket);
    backlog.excuse();
  }

  disconnected(socket: ChatSocket): void {
    socket.data.endings.forEach((end) => end());
  }

  /** Closes connections, not sessions: clients come back by themselves, to a node that is up. */
  closeAll(): void {
    for (const socket of this.namespace.sockets.values()) socket.conn.close();
  }

  private async admit(socket: ChatSocket): Promise<void> {
    const address = addressOf(socket.request, this.host.httpAdapter.getInstance<Express>());
    const places = [this.limits.admitAddress(address)];
    // A socket that is refused, or gone before it is admitted, is never reported as disconnected.
    const leave = () => {
      socket.conn.off('close', leave);
      places.forEach((giveBack) => giveBack());
    };
    socket.conn.once('close', leave);
    try {
      const attempt = () => this.auth.authenticate(tokenOf(socket));
      const identity = await this.limits.authenticate(address, attempt);
      this.refuseOthers(socket, identity);
      places.push(this.limits.admitUser(identity.user.id));
      Object.assign(socket.data, { userId: identity.user.id, claims: claimsOf(identity), endings: [leave] });
      if (socket.conn.readyState !== 'open') leave();
    } catch (error) {
      leave();
      throw error;
    }
  }

  private refuseOthers({ recovered, data }: ChatSocket, { user }: Identity): void {
    if (!recovered || data.userId === user.id) return;
    throw new UnauthenticatedError('unauthenticated', 'The access token is another user’s.');
  }

  /** Over its budget a socket's events are refused, far over it the socket is closed. */
  private meter(socket: ChatSocket): void {
    const meter = this.limits.meter();
    socket.use((packet, next) => {
      const verdict = meter.count();
      if (verdict === 'close') socket.conn.close();
      else if (verdict === 'refuse') refuse(socket, packet.at(-1), tooManyEvents());
      else if (socket.listenerCount(packet[0]) === 0) refuse(socket, packet.at(-1), noSuchCommand());
      else next();
    });
  }

  /** Sends a recovered socket what it has missed, where that is still there: else its client begins anew. */
  private bringUp(socket: ChatSocket): void {
    const { handshake, rooms } = socket;
    const missed = this.audiences.missedSince(socket.data.userId, String(handshake.auth.offset));
    if (!missed) return void socket.conn.close();
    for (const { event, offset } of missed) socket.emit(event.type, event.body, offset);
    for (const { type, body } of this.audiences.textSoFar(rooms)) socket.emit(type, body);
  }
}

function peerOf(socket: ChatSocket, session: LiveSession): SocketPeer {
  return {
    userId: socket.data.userId,
    join: (id) => void socket.join(conversationRoom(id)),
    leave: (id) => void socket.leave(conversationRoom(id)),
    renew: (newer) => session.renew(newer),
  };
}

function tokenOf({ handshake, request }: Socket): string {
  const token: unknown = handshake.auth.token ?? bearerToken(request);
  if (typeof token !== 'string' || token === '') throw noToken();
  return token;
}

const noSuchCommand = () =>
  new ValidationFailedError([{ field: 'event', message: 'There is no such command.' }]);

function connectError(error: unknown, socketId: string): Error {
  const { error: problem } = refusal(error, socketId) as { error: { detail: string } };
  return Object.assign(new Error(problem.detail), { data: problem });
}
