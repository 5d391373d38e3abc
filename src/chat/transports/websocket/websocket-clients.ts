import { Injectable, OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Express } from 'express';
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { AuthService } from '../../../auth/guard/auth.service.js';
import { bearerTokenOf, streamTicketOf } from '../../../auth/tokens/request-tokens.js';
import { claimsOf, type Identity } from '../../../auth/identity.js';
import {
  NotFoundError,
  ProblemError,
  RateLimitedError,
  UnauthenticatedError,
} from '../../../common/errors/errors.js';
import { addressOf } from '../../../common/http/server/handshake.js';
import { IdPipe } from '../../../common/validation/id.pipe.js';
import { toProblemError } from '../../../common/errors/problem.js';
import { ConversationStream } from '../../streams/conversation-stream.js';
import { PreAuthBuffer, NoTokenError } from './pre-auth-buffer.js';
import { SocketCommands } from '../shared/socket-commands.js';
import { SocketLimits } from '../shared/socket-limits.js';
import { refusal } from '../shared/socket-refusal.js';
import { CLOSE_CODES, WebSocketClient } from './websocket-client.js';

/** Closes connections that do not respond, and keeps proxies from closing idle ones after about a minute. */
const PING_INTERVAL_MS = 30_000;

/** Authenticates WebSockets and creates their clients. */
@Injectable()
export class WebSocketClients implements OnModuleDestroy {
  private readonly clients = new Set<WebSocketClient>();
  private readonly pings = setInterval(() => this.ping(), PING_INTERVAL_MS).unref();

  constructor(
    private readonly auth: AuthService,
    private readonly stream: ConversationStream,
    private readonly commands: SocketCommands,
    private readonly limits: SocketLimits,
    private readonly host: HttpAdapterHost,
  ) {}

  onModuleDestroy(): void {
    clearInterval(this.pings);
  }

  add(socket: WebSocket, request: IncomingMessage, id: string): void {
    // An error without a listener would end the process. ws closes the socket itself.
    socket.on('error', () => undefined);
    this.authenticate(socket, request, id).catch((error: unknown) => this.refuse(socket, error));
  }

  /** The number of authenticated WebSockets. */
  get count(): number {
    return this.clients.size;
  }

  /** Closes with 1012 (service restart), so that clients reconnect, to another node. */
  closeAll(): void {
    this.clients.forEach((client) => client.socket.close(CLOSE_CODES.restart));
  }

  private async authenticate(socket: WebSocket, request: IncomingMessage, id: string): Promise<void> {
    const early = new PreAuthBuffer(socket);
    const address = addressOf(request, this.host.httpAdapter.getInstance<Express>());
    socket.once('close', this.limits.acquireForAddress(address));
    const identity = await this.limits.authenticate(address, () => this.identify(request, early));
    // A closed socket emits no further `close`.
    if (socket.readyState !== socket.OPEN) return;
    socket.once('close', this.limits.acquireForUser(identity.user.id));
    const client = this.clientFor(socket, identity, new IdPipe().transform(id));
    await client.start();
    early.handOver((frame, isBinary) => void client.receive(frame, isBinary));
  }

  private async identify(request: IncomingMessage, early: PreAuthBuffer): Promise<Identity> {
    const token = tokenOf(request);
    const ticket = token === undefined ? streamTicketOf(request) : undefined;
    if (ticket !== undefined) return this.auth.redeemTicket(ticket);
    return this.auth.authenticate(token ?? (await early.token()));
  }

  private clientFor(socket: WebSocket, identity: Identity, conversationId: number): WebSocketClient {
    const { auth, stream, commands, limits } = this;
    const services = { auth, stream, commands, limits };
    const client = new WebSocketClient(socket, claimsOf(identity), conversationId, services);
    this.clients.add(client);
    socket.once('close', () => this.clients.delete(client));
    return client;
  }

  private refuse(socket: WebSocket, cause: unknown): void {
    const error = toProblemError(cause);
    refusal(cause, { transport: 'websocket', command: 'connect' });
    // A close reason is at most 123 bytes.
    socket.close(closeCode(error), Buffer.from(error.detail).subarray(0, 120));
  }

  private ping(): void {
    this.clients.forEach((client) => client.ping());
  }
}

/** The token in the Authorization header, or in the subprotocol after `bearer`: browsers cannot set headers. */
function tokenOf(request: IncomingMessage): string | undefined {
  const header = bearerTokenOf(request);
  if (header) return header;
  const [scheme, token] = (request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((text) => text.trim());
  return scheme !== undefined && isBearer(scheme) ? token : undefined;
}

/** Authentication schemes are case-insensitive (RFC 9110, section 11.1). */
export function isBearer(protocol: string): boolean {
  return protocol.toLowerCase() === 'bearer';
}

function closeCode(error: ProblemError): number {
  if (error instanceof NoTokenError) return CLOSE_CODES.noToken;
  if (error instanceof UnauthenticatedError) return CLOSE_CODES.token;
  if (error instanceof NotFoundError) return CLOSE_CODES.notFound;
  if (error instanceof RateLimitedError) return CLOSE_CODES.tooMuch;
  return error.getStatus() === 503 ? CLOSE_CODES.tryLater : CLOSE_CODES.internal;
}
