import { NestExpressApplication } from '@nestjs/platform-express';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { MessageMappingProperties } from '@nestjs/websockets';
import { lastValueFrom, type Observable } from 'rxjs';
import type { Server, ServerOptions, Socket } from 'socket.io';
import { handshakeFault, refuseUpgrade } from '../common/handshake.js';
import { Settings } from '../env/settings.js';
import { RECOVERY_MS, RecoveryAdapter } from './recovery.adapter.js';
import { MAX_FRAME_BYTES } from './socket-limits.js';

/** A client that has not asked for the namespace by then is not one of ours. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Socket.IO as Parley runs it. */
export class SocketIoAdapter extends IoAdapter {
  constructor(
    private readonly app: NestExpressApplication,
    private readonly settings: Settings,
  ) {
    super(app);
  }

  override createIOServer(port: number, options?: ServerOptions): Server {
    const { settings } = this;
    return super.createIOServer(port, {
      ...options,
      adapter: RecoveryAdapter,
      allowRequest: (request, callback) => {
        const fault = handshakeFault(request, this.app.getHttpAdapter().getInstance(), settings);
        // Engine.IO would answer an upgrade with 400, whatever the reason.
        if (fault && request.headers.upgrade) refuseUpgrade(request.socket, fault);
        callback(fault?.detail, fault === undefined);
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
    } as ServerOptions);
  }

  /** Nest's own keeps chains of RxJS operators for each command of each socket: 30 KB, where all else takes 19. */
  override bindMessageHandlers(
    socket: Socket,
    handlers: MessageMappingProperties[],
    transform: (answer: unknown) => Observable<unknown>,
  ): void {
    for (const { message, callback } of handlers) {
      socket.on(message, (...payload: unknown[]) => {
        const { data, ack } = this.mapPayload(payload.length > 1 ? payload : payload[0]);
        lastValueFrom(transform(callback(data, ack)), { defaultValue: undefined }).then(
          // Nothing, where a filter has acknowledged a failure already.
          (answer) => answer !== undefined && ack?.(answer),
          (error) => this.logger.error(error),
        );
      });
    }
  }
}
