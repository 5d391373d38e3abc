import { NestExpressApplication } from '@nestjs/platform-express';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { MessageMappingProperties } from '@nestjs/websockets';
import type { Express } from 'express';
import { lastValueFrom, type Observable } from 'rxjs';
import type { Server, ServerOptions, Socket } from 'socket.io';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Draining } from '../../../common/lifecycle/draining.js';
import { EdgeWarnings } from '../../../common/http/edge-warnings.js';
import { ProblemError, RateLimitedError, ValidationFailedError } from '../../../common/errors/errors.js';
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

/** A client that has not asked for the namespace by then is not one of ours. */
const CONNECT_TIMEOUT_MS = 10_000;

type Connection = Socket['conn'];
/** As Engine.IO has read it. */
type Asked = IncomingMessage & { _query?: Record<string, string>; res: ServerResponse };

const noSuchCommand = () =>
  new ValidationFailedError([{ field: 'event', message: 'There is no such command.' }]);
const unknownProtocol = () => new ProblemError(400, 'bad_request', 'Unsupported protocol version');
const tooManyConnections = () => new RateLimitedError(10, 'Too many connections.');

/** Engine.IO, which is not called back, would answer 400 or 403, whatever the reason. */
function refuseHandshake(request: Asked, fault: ProblemError): void {
  if (request.headers.upgrade) refuseUpgrade(request.socket, fault);
  else refuseRequest(request.res, fault);
}

/** Socket.IO as Parley runs it. */
export class SocketIoAdapter extends IoAdapter {
  private readonly limits: SocketLimits;
  private readonly warnings: EdgeWarnings;
  private readonly draining: Draining;

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
        const fault =
          handshakeError(request, this.express, settings, this.warnings) ?? this.newcomerFault(request);
        if (fault) refuseHandshake(request as Asked, fault);
        else callback(null, true);
      },
      connectionStateRecovery: { maxDisconnectionDuration: RECOVERY_MS, skipMiddlewares: false },
      connectTimeout: CONNECT_TIMEOUT_MS,
      // An upgrade that is not Socket.IO's is the plain WebSocket's, or refused by it.
      destroyUpgrade: false,
      maxHttpBufferSize: MAX_FRAME_BYTES,
      // Tokens are too short to gain by compression, which costs memory for each socket.
      perMessageDeflate: false,
      httpCompression: false,
      cors: { origin: settings.corsOrigins },
      wsEngine: SafePongServer,
    } as ServerOptions) as Server;
    server.engine.on('connection', (connection: Connection) => {
      connection.on('close', this.limits.enter(addressOf(connection.request, this.express)));
    });
    return server;
  }

  private get express(): Express {
    return this.app.getHttpAdapter().getInstance() as Express;
  }

  /** Refuses a new connection early: it costs memory before its token is known. */
  private newcomerFault(request: IncomingMessage): ProblemError | undefined {
    const { sid, EIO } = (request as Asked)._query ?? {};
    if (sid !== undefined) return undefined;
    // Engine.IO would write its HTTP answer into the open WebSocket.
    if (EIO !== '4' && request.headers.upgrade) return unknownProtocol();
    const isCrowded = this.limits.isCrowded(addressOf(request, this.express));
    return this.draining.refusal() ?? (isCrowded ? tooManyConnections() : undefined);
  }

  /**
   * Nest's own keeps a chain of RxJS operators for each command of each socket: 30 KB. This is one function, which takes
   * each event before Socket.IO looks for listeners.
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
        // Nothing, where a filter has acknowledged a failure already.
        .then((answer) => answer !== undefined && ack?.(answer))
        // An answer that cannot be encoded would otherwise end the process.
        .catch((error: unknown) => refuse(socket, ack, error, command));
    });
  }

  /** Of no use to a gateway that does not ask. */
  override bindClientDisconnect(): void {}
}
