import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Express } from 'express';
import type { Namespace, Socket } from 'socket.io';
import { missingToken, tokenOfAnotherUser } from '../../../auth/auth.errors.js';
import { AuthService } from '../../../auth/guard/auth.service.js';
import { bearerTokenOf } from '../../../auth/tokens/request-tokens.js';
import { claimsOf, type Identity } from '../../../auth/identity.js';
import { NotFoundError } from '../../../common/errors/errors.js';
import { addressOf } from '../../../common/http/server/handshake.js';
import type { ParleyEvent } from '../../../events/parley-event.js';
import { ConversationStream } from '../../streams/conversation-stream.js';
import type { RecoveryAdapter } from './recovery.adapter.js';
import { UserSocketRegistry } from './user-socket-registry.js';
import type { ChatSocket } from './chat-socket.js';
import { SocketIoClient } from './socket-io-client.js';
import { SocketLimits } from '../shared/socket-limits.js';
import { refusal } from '../shared/socket-refusal.js';

const NO_TOKEN = Object.freeze({});

/** Authenticates Socket.IO sockets, replays missed events to recovered ones, and closes them. */
@Injectable()
export class SocketLifecycle {
  private namespace!: Namespace;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly auth: AuthService,
    private readonly stream: ConversationStream,
    private readonly limits: SocketLimits,
    private readonly registry: UserSocketRegistry,
  ) {}

  attach(namespace: Namespace): void {
    this.namespace = namespace;
    this.registry.attach(namespace);
    const { adapter } = namespace as unknown as { adapter: RecoveryAdapter };
    adapter.canReplay = (userId, offset, opened) => this.registry.canReplay(userId, offset, opened);
    namespace.use((socket, next) => {
      this.authenticate(socket).then(
        () => next(),
        (error: unknown) => next(connectError(error)),
      );
    });
    // Nest's handleConnection and handleDisconnect would keep the last socket in memory.
    const disconnected = disconnectionFor(this.registry);
    namespace.on('connection', (socket) => this.connected(socket.on('disconnect', disconnected)));
    // The default namespace has no events and no authentication.
    namespace.server.of('/').use((_socket, next) => next(connectError(new NotFoundError('namespace'))));
  }

  private connected(socket: ChatSocket): void {
    const client = new SocketIoClient(socket, this.stream, this.auth, this.registry, this.limits.meter());
    socket.data.client = client;
    this.registry.add(socket.data.userId, socket);
    if (socket.recovered) this.replayMissed(socket);
    client.resetAllowance();
    // Releases the token's memory for the lifetime of the socket.
    socket.handshake.auth = NO_TOKEN;
  }

  /** The number of connected sockets. */
  get count(): number {
    return this.namespace.sockets.size;
  }

  /** Closes the transport without a disconnect packet, so that clients reconnect, to another node. */
  closeAll(): void {
    for (const socket of this.namespace.sockets.values()) socket.conn.close();
  }

  private async authenticate(socket: ChatSocket): Promise<void> {
    const { data, conn, handshake } = socket;
    data.recovery = handshake.auth.recovery === true;
    const address = addressOf(socket.request, this.host.httpAdapter.getInstance<Express>());
    const releaseAddress = this.limits.acquireForAddress(address);
    let releaseUser: (() => void) | undefined;
    // A socket that is refused, or closed during authentication, emits no `disconnect`.
    data.release = () => {
      conn.off('close', data.release);
      releaseAddress();
      releaseUser?.();
    };
    conn.on('close', data.release);
    try {
      const attempt = () => this.auth.authenticate(tokenOf(socket));
      const identity = await this.limits.authenticate(address, attempt);
      this.refuseOthers(socket, identity);
      releaseUser = this.limits.acquireForUser(identity.user.id);
      data.userId = identity.user.id;
      data.claims = claimsOf(identity);
      if (conn.readyState !== 'open') data.release();
    } catch (error) {
      data.release();
      throw error;
    }
  }

  private refuseOthers({ recovered, data }: ChatSocket, { user }: Identity): void {
    if (recovered && data.userId !== user.id) throw tokenOfAnotherUser();
  }

  /** Sends missed events to a recovered socket; closes it if they are no longer kept. */
  private replayMissed(socket: ChatSocket): void {
    const { handshake, data } = socket;
    const { userId, opened = [], client } = data;
    const missed = this.registry.missedSince(userId, String(handshake.auth.offset));
    if (!missed) return void socket.conn.close();
    const follows = new Set(opened);
    const send = (event: ParleyEvent, ...offset: string[]) => {
      socket.emit(event.type, event.body, ...offset);
      client.resetAllowance();
    };
    for (const { event, offset } of missed) {
      if (follows.has(event.conversationId!)) this.registry.textBefore(event).forEach((delta) => send(delta));
      send(event, ...(data.recovery ? [offset] : []));
    }
    this.registry.textSoFar(follows).forEach((event) => send(event));
    for (const id of opened) client.join(id);
  }
}

/** One listener for all sockets, called with the socket as `this`. */
function disconnectionFor(registry: UserSocketRegistry) {
  return function disconnected(this: ChatSocket): void {
    const { client, userId, release } = this.data;
    client.end();
    registry.remove(userId, this);
    release();
  };
}

function tokenOf({ handshake, request }: Socket): string {
  const token: unknown = handshake.auth.token ?? bearerTokenOf(request);
  if (typeof token !== 'string' || token === '') throw missingToken();
  return token;
}

function connectError(error: unknown): Error {
  const { error: problem } = refusal(error, { transport: 'socket.io', command: 'connect' });
  return Object.assign(new Error(problem.detail), { data: problem });
}
