import type { Socket } from 'socket.io';
import type { WebSocket } from 'ws';
import { Backpressure, type Outlet } from '../shared/backpressure.js';
import { sendFrame, sendFrameWithNext } from '../shared/text-frame.js';

type Connection = Socket['conn'];

interface Packet {
  data?: string | Buffer;
  /** As it goes out, in one piece or several, where it is encoded once for all who get it. */
  options?: { wsPreEncodedFrame?: Buffer[] };
}

/** Cuts a Socket.IO client that falls behind: Engine.IO itself would let any amount wait for it. */
export class EngineBackpressure implements Outlet {
  /** What Engine.IO keeps for when its transport takes more: a WebSocket that is drained, or a poll. Bytes. */
  private buffered = 0;
  private readonly backpressure = new Backpressure(this);

  constructor(private readonly connection: Connection) {
    connection.on('packetCreate', this.count).on('flush', this.handOver);
  }

  get bufferedAmount(): number {
    return this.buffered + (webSocketOf(this.connection)?.bufferedAmount ?? 0);
  }

  /** All that waits now is what the client had missed and came back for. */
  resetAllowance(): void {
    this.backpressure.resetAllowance();
  }

  /**
   * Writes a frame past Engine.IO, whose way for a packet is 6 % of a token's time.
   * @param alone whether nothing else is likely to follow in this turn
   * @returns false where it has to go through Engine.IO: to a client that polls, or while something else is on its way
   */
  sendFrame(frame: Buffer, alone: boolean): boolean {
    const webSocket = webSocketOf(this.connection);
    if (!webSocket || !this.connection.transport.writable) return false;
    if (webSocket.readyState !== webSocket.OPEN) return false;
    if (!this.backpressure.hasRoomFor(frame.length)) this.cut();
    else if (alone) sendFrame(webSocket, frame);
    else sendFrameWithNext(webSocket, frame);
    return true;
  }

  end(): void {
    this.connection.off('packetCreate', this.count).off('flush', this.handOver);
  }

  private readonly count = ({ data = '', options }: Packet): void => {
    const frame = options?.wsPreEncodedFrame;
    const bytes = frame ? frame.reduce((sum, { length }) => sum + length, 0) : Buffer.byteLength(data);
    if (this.backpressure.hasRoomFor(bytes)) this.buffered += bytes;
    else this.cut();
  };

  private readonly handOver = (): void => {
    this.buffered = 0;
  };

  private cut(): void {
    this.end();
    const webSocket = webSocketOf(this.connection);
    // Closing in order would wait for all that waits.
    if (webSocket) webSocket.terminate();
    else this.connection.close(true);
  }
}

/** What carries the connection, unless it polls. */
function webSocketOf({ transport }: Connection): WebSocket | undefined {
  return (transport as unknown as { socket?: WebSocket }).socket;
}
