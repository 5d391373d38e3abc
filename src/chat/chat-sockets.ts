import { Injectable } from '@nestjs/common';
import type { DefaultEventsMap, Namespace, Socket } from 'socket.io';
import type { WebSocket } from 'ws';
import { AuthService } from '../auth/auth.service.js';
import type { Identity } from '../auth/identity.js';
import { UnauthenticatedError } from '../common/errors.js';
import { EventHub, ParleyEvent } from '../events/event-hub.js';
import { LiveSession } from './live-session.js';
import { RemoteReplies } from './remote-replies.js';
import { ReplyEngine } from './reply-engine.js';
import { SlowReaders, type Outlet } from './slow-readers.js';
import type { SocketPeer } from './socket-commands.js';
import { RECOVERY_MS } from './socket-io.adapter.js';
import { SocketLimits, tooManyEvents } from './socket-limits.js';
import { refusal } from './socket-problem.filter.js';

interface SocketData {
  identity: Identity;
  peer: SocketPeer;
  session: LiveSession;
  endings: (() => void)[];
}

export type ChatSocket = Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketData>;

/** The life of Socket.IO sockets: who may connect, what reaches them, and when they end. */
@Injectable()
export class ChatSockets {
  private namespace!: Namespace;
  private readonly audiences = new Map<number, Audience>();

  constructor(
    private readonly auth: AuthService,
    private readonly hub: EventHub,
    private readonly engine: ReplyEngine,
    private readonly remote: RemoteReplies,
    private readonly limits: SocketLimits,
    private readonly slowReaders: SlowReaders,
  ) {}

  attach(namespace: Namespace): void {
    this.namespace = namespace;
    namespace.use((socket, next) => {
      this.admit(socket).then(
        () => next(),
        (error: unknown) => next(connectError(error, socket.id)),
      );
    });
    // Without a namespace there is nothing to talk about, nor a login to hold the connection.
    namespace.server.of('/').use((_socket, next) => next(new Error('Connect to the namespace /chat.')));
  }

  connected(socket: ChatSocket): void {
    const { identity, endings } = socket.data;
    socket.data.session = new LiveSession(this.hub, identity, {
      expiring: (expiresAt) => socket.emit('session.expiring', { expires_at: expiresAt.toISOString() }),
      ended: () => socket.disconnect(true),
      resume: () => socket.conn.close(),
    });
    socket.data.peer = this.peerOf(socket);
    endings.push(() => socket.data.session.close(), this.slowReaders.watch(outletOf(socket)));
    endings.push(this.audienceOf(identity.user.id));
    void socket.join(userRoom(identity.user.id));
    this.meter(socket);
    if (socket.recovered) this.bringUp(socket);
  }

  disconnected(socket: ChatSocket): void {
    socket.data.endings.forEach((end) => end());
  }

  /** Closes connections, not sessions: clients come back by themselves, to a node that is up. */
  closeAll(): void {
    for (const socket of this.namespace.sockets.values()) socket.conn.close();
  }

  private async admit(socket: ChatSocket): Promise<void> {
    const identity = await this.auth.authenticate(tokenOf(socket));
    if (socket.recovered && socket.data.identity.user.id !== identity.user.id) {
      throw new UnauthenticatedError('unauthenticated', 'The access token is another user’s.');
    }
    const leave = this.limits.admit(identity.user.id, socket.handshake.address);
    Object.assign(socket.data, { identity, endings: [leave] });
    // A client may be gone before it is admitted, and then no disconnection is reported.
    socket.conn.once('close', leave);
  }

  private peerOf(socket: ChatSocket): SocketPeer {
    return {
      userId: socket.data.identity.user.id,
      join: (id) => void socket.join(conversationRoom(id)),
      leave: (id) => void socket.leave(conversationRoom(id)),
      renew: (identity) => {
        socket.data.identity = identity;
        socket.data.session.renew(identity);
      },
    };
  }

  /** Over its budget a socket's events are refused, far over it the socket is closed. */
  private meter(socket: ChatSocket): void {
    const meter = this.limits.meter();
    socket.use((packet, next) => {
      const verdict = meter.count();
      if (verdict === 'answer') return next();
      if (verdict === 'close') return socket.conn.close();
      const acknowledge: unknown = packet.at(-1);
      if (typeof acknowledge === 'function') acknowledge(refusal(tooManyEvents(), socket.id));
    });
  }

  /** Deltas are not kept for sockets that are away: running replies are sent again, from their start. */
  private bringUp(socket: ChatSocket): void {
    for (const reply of [...this.engine.all(), ...this.remote.all()]) {
      if (!socket.rooms.has(conversationRoom(reply.message.conversation_id))) continue;
      for (const { type, body } of reply.since({ content: 0, reasoning: 0 })) socket.emit(type, body);
    }
  }

  /** One subscription serves all sockets of a user, and outlives the last of them for as long as it may recover. */
  private audienceOf(userId: number): () => void {
    let audience = this.audiences.get(userId);
    if (!audience) {
      const unsubscribe = this.hub.subscribe(userId, (event) => this.emit(userId, event));
      this.audiences.set(userId, (audience = { sockets: 0, unsubscribe }));
    }
    audience.sockets++;
    clearTimeout(audience.leaving);
    return () => this.leaveAudience(userId, audience);
  }

  private leaveAudience(userId: number, audience: Audience): void {
    if (--audience.sockets > 0) return;
    audience.leaving = setTimeout(() => {
      audience.unsubscribe();
      this.audiences.delete(userId);
    }, RECOVERY_MS).unref();
  }

  private emit(userId: number, event: ParleyEvent): void {
    if (event.isInternal) return;
    const room = event.type === 'message.delta' ? conversationRoom(event.conversationId!) : userRoom(userId);
    this.namespace.to(room).emit(event.type, event.body);
  }
}

interface Audience {
  sockets: number;
  unsubscribe: () => void;
  leaving?: NodeJS.Timeout;
}

const userRoom = (id: number) => `user:${id}`;
const conversationRoom = (id: number) => `conversation:${id}`;

function tokenOf(socket: Socket): string {
  const { auth, headers } = socket.handshake;
  const header = /^Bearer ([^ ]+)$/i.exec(headers.authorization ?? '')?.[1];
  const token: unknown = auth.token ?? header;
  if (typeof token !== 'string' || token === '') {
    throw new UnauthenticatedError('unauthenticated', 'An access token is needed.', false);
  }
  return token;
}

function connectError(error: unknown, socketId: string): Error {
  const { error: problem } = refusal(error, socketId) as { error: { detail: string } };
  return Object.assign(new Error(problem.detail), { data: problem });
}

/** What waits for a socket: in Engine.IO's buffer, and in the WebSocket's. A polling client is cut by its ping. */
function outletOf(socket: ChatSocket): Outlet {
  const { conn } = socket;
  const webSocket = () =>
    (conn.transport as { socket?: WebSocket & { _socket?: import('node:net').Socket } }).socket;
  return {
    waiting: () => bufferedBytes(conn) + (webSocket()?.bufferedAmount ?? 0),
    taken: () => {
      const tcp = webSocket()?._socket;
      return tcp ? tcp.bytesWritten - tcp.writableLength : 0;
    },
    cut: () => conn.close(true),
  };
}

function bufferedBytes(conn: ChatSocket['conn']): number {
  const { writeBuffer } = conn as unknown as { writeBuffer: { data?: string | Buffer }[] };
  return writeBuffer.reduce((sum, packet) => sum + (packet.data?.length ?? 0), 0);
}
