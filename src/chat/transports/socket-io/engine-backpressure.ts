import type { Socket } from 'socket.io';
import type { WebSocket } from 'ws';
import { Backpressure, type Outlet } from '../shared/backpressure.js';

type Connection = Socket['conn'];

interface Packet {
  data?: string | Buffer;
  options?: { wsPreEncodedFrame?: Buffer[] };
}

/** Disconnects a Socket.IO client that falls behind. Engine.IO buffers without a limit. */
export class EngineBackpressure implements Outlet {
  /** Bytes that Engine.IO buffers until its transport is writable: a WebSocket has drained, or a poll has arrived. */
  private buffered = 0;
  private readonly backpressure = new Backpressure(this);

  constructor(private readonly connection: Connection) {
    connection.on('packetCreate', this.count).on('flush', this.reset);
  }

  get bufferedAmount(): number {
    return this.buffered + (webSocketOf(this.connection)?.bufferedAmount ?? 0);
  }

  /** Exempts everything that is buffered now: it was sent to catch up. */
  resetAllowance(): void {
    this.backpressure.resetAllowance();
  }

  end(): void {
    this.connection.off('packetCreate', this.count).off('flush', this.reset);
  }

  private readonly count = ({ data = '', options }: Packet): void => {
    const frame = options?.wsPreEncodedFrame;
    const bytes = frame ? frame.reduce((sum, { length }) => sum + length, 0) : Buffer.byteLength(data);
    if (this.backpressure.hasRoomFor(bytes)) this.buffered += bytes;
    else this.cut();
  };

  private readonly reset = (): void => {
    this.buffered = 0;
  };

  private cut(): void {
    this.end();
    const webSocket = webSocketOf(this.connection);
    // A regular close would first send everything that is buffered.
    if (webSocket) webSocket.terminate();
    else this.connection.close(true);
  }
}

/** The connection's WebSocket, undefined while it polls. */
function webSocketOf({ transport }: Connection): WebSocket | undefined {
  return (transport as unknown as { socket?: WebSocket }).socket;
}
