import { NestExpressApplication } from '@nestjs/platform-express';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { Adapter, type BroadcastOptions, SessionAwareAdapter } from 'socket.io-adapter';
import type { Server, ServerOptions } from 'socket.io';
import { handshakeFault, refuseUpgrade } from '../common/handshake.js';
import { Settings } from '../env/settings.js';
import { MAX_FRAME_BYTES } from './socket-limits.js';

/** How long what a client misses is kept for it to come back (Socket.IO's connection state recovery). */
export const RECOVERY_MS = 2 * 60_000;

/**
 * Leaves deltas out of what is kept for clients that lose their connection: a client that comes back is brought up
 * from the reply itself, whole, and a delta a token for two minutes would be most of the server's memory.
 */
class ReplyAdapter extends SessionAwareAdapter {
  override broadcast(packet: { data: unknown[] }, options: BroadcastOptions): void {
    if (packet.data[0] === 'message.delta') Adapter.prototype.broadcast.call(this, packet, options);
    else super.broadcast(packet, options);
  }
}

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
      adapter: ReplyAdapter,
      allowRequest: (request, callback) => {
        const fault = handshakeFault(request, this.app.getHttpAdapter().getInstance(), settings);
        // Engine.IO would answer an upgrade with 400, whatever the reason.
        if (fault && request.headers.upgrade) refuseUpgrade(request.socket, fault);
        callback(fault?.detail, fault === undefined);
      },
      connectionStateRecovery: { maxDisconnectionDuration: RECOVERY_MS, skipMiddlewares: false },
      // An upgrade that is not Socket.IO's is the plain WebSocket's, or refused by it.
      destroyUpgrade: false,
      maxHttpBufferSize: MAX_FRAME_BYTES,
      // Tokens are too short to gain by compression, which costs memory for each socket.
      perMessageDeflate: false,
      httpCompression: false,
      cors: { origin: settings.corsOrigins },
    } as ServerOptions);
  }
}
