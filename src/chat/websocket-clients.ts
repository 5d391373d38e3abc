import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Express } from 'express';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { RawData, WebSocket } from 'ws';
import { AuthService } from '../auth/auth.service.js';
import type { Identity } from '../auth/identity.js';
import { NotFoundError, ProblemError, RateLimitedError, UnauthenticatedError } from '../common/errors.js';
import { addressOf } from '../common/handshake.js';
import { IdPipe } from '../common/id.pipe.js';
import { EventHub } from '../events/event-hub.js';
import { ConversationStreams } from './conversation-streams.js';
import { SlowReaders } from './slow-readers.js';
import { SocketCommands } from './socket-commands.js';
import { SocketLimits } from './socket-limits.js';
import { WebSocketClient } from './websocket-client.js';

/** RFC 6455, section 7.4.2: 4000–4999 are ours (API.md 6). */
const CLOSE_CODES = { token: 4401, notFound: 4404, noToken: 4408, tooMuch: 4429, internal: 1011 } as const;
const TOKEN_WAIT_MS = 5000;
const MAX_EARLY_FRAMES = 50;

/** Admits plain WebSockets: who is it, may they, which conversation; then hands them over to their client. */
@Injectable()
export class WebSocketClients {
  private readonly clients = new Set<WebSocketClient>();

  constructor(
    private readonly auth: AuthService,
    private readonly streams: ConversationStreams,
    private readonly commands: SocketCommands,
    private readonly limits: SocketLimits,
    private readonly slowReaders: SlowReaders,
    private readonly hub: EventHub,
    private readonly host: HttpAdapterHost,
  ) {}

  add(socket: WebSocket, request: IncomingMessage, id: string): void {
    // Without a listener an error would end the process; `close` follows and says enough.
    socket.on('error', () => socket.terminate());
    const address = addressOf(request, this.host.httpAdapter.getInstance<Express>());
    this.admit(socket, request, id, address).catch((error: unknown) => closeWith(socket, error));
  }

  /** 1012: "service restart"; clients come back, to a node that is up. */
  closeAll(): void {
    this.clients.forEach((client) => client.socket.close(1012));
  }

  private async admit(
    socket: WebSocket,
    request: IncomingMessage,
    id: string,
    address: string,
  ): Promise<void> {
    const early = new EarlyFrames(socket);
    const identity = await this.auth.authenticate(tokenOf(request) ?? (await early.token()));
    const leave = this.limits.admit(identity.user.id, address);
    socket.once('close', leave);
    const client = this.clientFor(socket, identity, new IdPipe().transform(id));
    await client.start();
    early.handOver((data, isBinary) => void client.receive(data, isBinary));
  }

  private clientFor(socket: WebSocket, identity: Identity, conversationId: number): WebSocketClient {
    const { streams, commands, limits, slowReaders, hub } = this;
    const services = { streams, commands, limits, slowReaders, hub };
    const client = new WebSocketClient(socket, identity, conversationId, services);
    this.clients.add(client);
    socket.once('close', () => this.clients.delete(client));
    return client;
  }
}

/** From the Authorization header, or as the subprotocol after `bearer` (browsers can set no header). */
function tokenOf(request: IncomingMessage): string | undefined {
  const header = /^Bearer ([^ ]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (header) return header;
  const [scheme, token] = (request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((text) => text.trim());
  return scheme === 'bearer' ? token : undefined;
}

class NoTokenError extends ProblemError {
  constructor() {
    super(401, 'unauthenticated', 'No token came in time.');
  }
}

/** Keeps what a client sends before it is admitted, in order, so that none of it is lost. */
class EarlyFrames {
  private frames: [RawData, boolean][] = [];
  private receive = (data: RawData, isBinary: boolean): void => {
    if (this.frames.push([data, isBinary]) > MAX_EARLY_FRAMES) this.socket.close(CLOSE_CODES.tooMuch);
  };

  constructor(private readonly socket: WebSocket) {
    socket.on('message', (data, isBinary) => this.receive(data, isBinary));
  }

  /** Of the first frame. */
  async token(): Promise<string> {
    const inTime = AbortSignal.timeout(TOKEN_WAIT_MS);
    if (this.frames.length === 0) {
      await once(this.socket, 'message', { signal: inTime }).catch(() => Promise.reject(new NoTokenError()));
    }
    const [data] = this.frames.shift()!;
    const token = tokenInFrame(data.toString());
    if (token) return token;
    throw new UnauthenticatedError('unauthenticated', 'The first frame must be {"type": "auth", "token"}.');
  }

  handOver(receive: (data: RawData, isBinary: boolean) => void): void {
    this.receive = receive;
    this.frames.forEach((frame) => receive(...frame));
  }
}

function tokenInFrame(text: string): string | null {
  try {
    const frame = JSON.parse(text) as { type?: unknown; token?: unknown };
    return frame.type === 'auth' && typeof frame.token === 'string' ? frame.token : null;
  } catch {
    return null;
  }
}

function closeWith(socket: WebSocket, error: unknown): void {
  const detail = error instanceof ProblemError ? error.detail : '';
  // A close reason is at most 123 bytes.
  socket.close(closeCode(error), Buffer.from(detail).subarray(0, 120));
}

function closeCode(error: unknown): number {
  if (error instanceof NoTokenError) return CLOSE_CODES.noToken;
  if (error instanceof UnauthenticatedError) return CLOSE_CODES.token;
  if (error instanceof NotFoundError) return CLOSE_CODES.notFound;
  if (error instanceof RateLimitedError) return CLOSE_CODES.tooMuch;
  return CLOSE_CODES.internal;
}
