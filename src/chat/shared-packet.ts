import type { Socket } from 'socket.io';
import type { ParleyEvent } from '../events/event-hub.js';

/** The first byte of a WebSocket frame that is a whole text message (RFC 6455, section 5.2). */
const WHOLE_TEXT = 0x81;
/** The longest length that fits where the length begins, and those that say that it follows in two or eight bytes. */
const SHORT = 125;
const IN_TWO_BYTES = 126;
const IN_EIGHT_BYTES = 127;

/**
 * An event as Socket.IO's protocol has it on the wire, encoded once for all sockets that get it: as an Engine.IO
 * message, and, for sockets that are WebSockets, as the frame around it, in one piece, so that it takes one write.
 */
export class SharedPacket {
  private readonly message: string;
  private readonly options: { compress: boolean; wsPreEncodedFrame: [Buffer] };

  /** @param offset of an event that a socket which comes back is sent again */
  constructor(namespace: string, { type, json }: ParleyEvent, offset?: string) {
    const fields = offset === undefined ? json : `${json},"${offset}"`;
    // 2 is an EVENT of Socket.IO, 4 a message of Engine.IO, which puts its own before text.
    this.message = `2${namespace},["${type}",${fields}]`;
    this.options = { compress: false, wsPreEncodedFrame: [textFrame(`4${this.message}`)] };
  }

  sendTo({ conn }: Socket): void {
    conn.write(this.message, this.options);
  }
}

/** Unmasked, as a server's are. */
function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headLength = length <= SHORT ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headLength + length);
  frame[0] = WHOLE_TEXT;
  frame[1] = length <= SHORT ? length : length < 65_536 ? IN_TWO_BYTES : IN_EIGHT_BYTES;
  if (headLength === 4) frame.writeUInt16BE(length, 2);
  if (headLength === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.write(text, headLength);
  return frame;
}
