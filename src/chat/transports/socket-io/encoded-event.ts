import { Sender } from 'ws';
import type { ParleyEvent } from '../../../events/parley-event.js';

interface FrameOptions {
  fin: boolean;
  opcode: number;
  mask: boolean;
  rsv1: boolean;
  readOnly: boolean;
}

declare module 'ws' {
  /** Missing in the types of ws. socket.io-adapter encodes its broadcasts with it. */
  const Sender: { frame(data: Buffer, options: FrameOptions): Buffer[] };
}

const TEXT_FRAME: FrameOptions = { fin: true, opcode: 1, mask: false, rsv1: false, readOnly: false };

/** An event in Socket.IO's protocol, encoded once for all sockets that receive it. */
export class EncodedEvent {
  readonly message: string;
  /** For `Connection.write` of Engine.IO, which takes the frame for WebSockets and the message for polling. */
  readonly options: { compress: boolean; wsPreEncodedFrame: Buffer[] };

  /** @param offset the second argument of the event, for clients that asked for connection state recovery */
  constructor(namespace: string, { type, json }: ParleyEvent, offset?: string) {
    const fields = offset === undefined ? json : `${json},"${offset}"`;
    // Packet type 2 is EVENT. Engine.IO prepends its own type, 4, to a message that it encodes.
    this.message = `2${namespace},["${type}",${fields}]`;
    // In one piece: ws would write the header and the text separately.
    const frame = Buffer.concat(Sender.frame(Buffer.from(`4${this.message}`), TEXT_FRAME));
    this.options = { compress: false, wsPreEncodedFrame: [frame] };
  }
}
