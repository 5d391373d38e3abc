import type { Socket } from 'socket.io';
import type { ParleyEvent } from '../events/event-hub.js';
import type { SocketIoClient } from './socket-io-client.js';
import { textFrame } from './text-frame.js';

/**
 * An event as Socket.IO's protocol has it on the wire, encoded once for all sockets that get it: as an Engine.IO
 * message, and, for sockets that are WebSockets, as the frame around it, in one piece, so that it takes one write.
 */
export class SharedPacket {
  private readonly message: string;
  private readonly frame: Buffer;
  private readonly alone: boolean;
  private readonly options: { compress: boolean; wsPreEncodedFrame: [Buffer] };

  /** @param offset of an event that a socket which comes back is sent again */
  constructor(namespace: string, { type, json }: ParleyEvent, offset?: string) {
    const fields = offset === undefined ? json : `${json},"${offset}"`;
    // 2 is an EVENT of Socket.IO, 4 a message of Engine.IO, which puts its own before text.
    this.message = `2${namespace},["${type}",${fields}]`;
    this.frame = textFrame(`4${this.message}`);
    this.alone = type === 'message.delta';
    this.options = { compress: false, wsPreEncodedFrame: [this.frame] };
  }

  sendTo({ conn, data }: Socket): void {
    // A socket that is being recovered has none yet.
    const client = data.client as SocketIoClient | undefined;
    if (!client?.sendFrame(this.frame, this.alone)) conn.write(this.message, this.options);
  }
}
