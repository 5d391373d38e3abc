import type { ParleyEvent } from '../../../events/parley-event.js';
import type { ChatSocket } from './chat-socket.js';
import { textFrame } from '../shared/text-frame.js';

/**
 * An event as Socket.IO's protocol has it on the wire, encoded once for all sockets that get it: as an Engine.IO
 * message, and, for sockets that are WebSockets, as the frame around it, in one piece, so that it takes one write.
 */
export class EncodedEvent {
  private readonly text: string;
  private readonly frame: Buffer;
  private readonly alone: boolean;

  /** @param offset of an event that a socket which comes back is sent again */
  constructor(namespace: string, { type, json }: ParleyEvent, offset?: string) {
    const fields = offset === undefined ? json : `${json},"${offset}"`;
    // 2 is an EVENT of Socket.IO, 4 a message of Engine.IO, which puts its own before text.
    this.text = `42${namespace},["${type}",${fields}]`;
    this.frame = textFrame(this.text);
    this.alone = type === 'message.delta';
  }

  sendTo({ conn, data }: ChatSocket): void {
    if (data.client.sendFrame(this.frame, this.alone)) return;
    // Its types do not know of the frame; Socket.IO's own broadcasts are made so.
    const options: object = { compress: false, wsPreEncodedFrame: [this.frame] };
    conn.write(this.text.slice(1), options);
  }
}
