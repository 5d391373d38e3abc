import { NestExpressApplication } from '@nestjs/platform-express';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { MessageMappingProperties } from '@nestjs/websockets';
import type { Express } from 'express';
import { lastValueFrom, type Observable } from 'rxjs';
import type { Server, ServerOptions, Socket } from 'socket.io';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Draining } from '../../../common/lifecycle/draining.js';
import { EdgeWarnings } from '../../../common/http/edge-warnings.js';
import { invalidField, ProblemError, RateLimitedError } from '../../../common/errors/errors.js';
import {
  addressOf,
  handshakeError,
  refuseRequest,
  refuseUpgrade,
} from '../../../common/http/server/handshake.js';
import { Settings } from '../../../env/settings.js';
import type { ChatSocket } from './chat-socket.js';
import { SafePongServer } from '../shared/safe-pong-server.js';
import { RECOVERY_MS, RecoveryAdapter } from './recovery.adapter.js';
import { MAX_FRAME_BYTES, SocketLimits } from '../shared/socket-limits.js';
import { refuse } from './socket-problem.filter.js';

/** Connections without a namespace are closed after this time. */
const CONNECT_TIMEOUT_MS = 10_000;

type Connection = Socket['conn'];
/** A request with what Engine.IO adds to it. */
type EngineRequest = IncomingMessage & { _query?: Record<string, string>; res: ServerResponse };

const noSuchCommand = () => invalidField('event', 'There is no such command.');
const unknownProtocol = () => new ProblemError(400, 'bad_request', 'Unsupported protocol version');
const tooManyConnections = () => new RateLimitedError(10, 'Too many connections.');

/** Responds with the problem. Engine.IO's own response has only status 400 or 403. */
function refuseHandshake(request: EngineRequest, error: ProblemError): void {
  if (request.headers.upgrade) refuseUpgrade(request.socket, error);
  else refuseRequest(request.res, error);
}

/** Nest's adapter for Socket.IO with Parley's limits, connection state recovery and message handling. */
export class SocketIoAdapter extends IoAdapter {
  private readonly limits: SocketLimits;
  private readonly warnings: EdgeWarnings;
  private readonly draining: Draining;
  private isBound = false;

  constructor(
    private readonly app: NestExpressApplication,
    private readonly settings: Settings,
  ) {
    super(app);
    this.limits = app.get(SocketLimits);
    this.warnings = app.get(EdgeWarnings);
    this.draining = app.get(Draining);
  }

  override createIOServer(port: number, options?: ServerOptions): Server {
    const { settings } = this;
    const server = super.createIOServer(port, {
      ...options,
      adapter: RecoveryAdapter,
      allowRequest: (request, callback) => {
        const error =
          handshakeError(request, this.express, settings, this.warnings) ?? this.connectionRefusal(request);
        if (error) refuseHandshake(request as EngineRequest, error);
        else callback(null, true);
      },
      connectionStateRecovery: { maxDisconnectionDuration: RECOVERY_MS, skipMiddlewares: false },
      connectTimeout: CONNECT_TIMEOUT_MS,
      // Other upgrades are handled or refused by ChatWebSocket.
      destroyUpgrade: false,
      maxHttpBufferSize: MAX_FRAME_BYTES,
      // Deltas are too short to compress, and compression needs memory for each socket.
      perMessageDeflate: false,
      httpCompression: false,
      cors: { origin: settings.corsOrigins },
      wsEngine: SafePongServer,
    } as ServerOptions) as Server;
    server.engine.on('connection', (connection: Connection) => {
      connection.on('close', this.limits.countConnection(addressOf(connection.request, this.express)));
    });
    return server;
  }

  private get express(): Express {
    return this.app.getHttpAdapter().getInstance() as Express;
  }

  /** The refusal of a new connection: a draining node, or too many connections of its address. */
  private connectionRefusal(request: IncomingMessage): ProblemError | undefined {
    const { sid, EIO } = (request as EngineRequest)._query ?? {};
    if (sid !== undefined) return undefined;
    // Engine.IO would write its HTTP response into the open WebSocket.
    if (EIO !== '4' && request.headers.upgrade) return unknownProtocol();
    const isFull = this.limits.isFull(addressOf(request, this.express));
    return this.draining.refusal() ?? (isFull ? tooManyConnections() : undefined);
  }

  /** Fails at boot for a second gateway: {@link bindMessageHandlers} refuses events that its one gateway does not handle. */
  override bindClientConnect(server: Server, callback: (socket: Socket) => void): void {
    if (this.isBound) throw new Error('SocketIoAdapter serves one gateway, and a second one was bound.');
    this.isBound = true;
    super.bindClientConnect(server, callback);
  }

  /**
   * Handles all events of a socket in one function. Nest's own adapter keeps a chain of RxJS operators for each command
   * of each socket.
   */
  override bindMessageHandlers(
    socket: ChatSocket,
    handlers: MessageMappingProperties[],
    transform: (answer: unknown) => Observable<unknown>,
  ): void {
    const callbacks = Object.fromEntries(handlers.map(({ message, callback }) => [message, callback]));
    socket.use(([command, ...payload]) => {
      const callback = Object.hasOwn(callbacks, command) ? callbacks[command] : undefined;
      if (!socket.data.client.mayAnswer(payload.at(-1), callback && command)) return;
      const { data, ack } = this.mapPayload(payload.length > 1 ? payload : payload[0]);
      if (!callback) return refuse(socket, ack, noSuchCommand());
      lastValueFrom(transform(callback(data, ack)), { defaultValue: undefined })
        // Undefined if the filter has acknowledged a failure.
        .then((answer) => answer !== undefined && ack?.(answer))
        // Also rejects if the answer cannot be encoded.
        .catch((error: unknown) => refuse(socket, ack, error, command));
    });
  }

  /** Not needed: SocketLifecycle listens for `disconnect`. */
  override bindClientDisconnect(): void {}
}
