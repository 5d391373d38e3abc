import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';

/** The first byte of a WebSocket frame that is a whole text message (RFC 6455, section 5.2). */
const WHOLE_TEXT = 0x81;
/** The longest length that fits where the length begins, and those that say that it follows in two or eight bytes. */
const SHORT = 125;
const IN_TWO_BYTES = 126;
const IN_EIGHT_BYTES = 127;

/** A whole text message as one WebSocket frame; unmasked, as a server's are. */
export function textFrame(text: string): Buffer {
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

/**
 * Writes a frame as it is, where ws itself makes two writes of one, its head and its text. Its types do not know of
 * this; Engine.IO writes the frames of Socket.IO's own broadcasts so.
 * @param webSocket is open, and does not compress
 */
export function sendFrame(webSocket: WebSocket, frame: Buffer): void {
  insideOf(webSocket)._sender.sendFrame([frame]);
}

/**
 * As sendFrame, but in one write with whatever else follows in this turn of the event loop, as node:http does with its
 * chunks: what a command does is told in several frames, its answer among them.
 */
export function sendFrameWithNext(webSocket: WebSocket, frame: Buffer): void {
  const { _socket: socket } = insideOf(webSocket);
  if (socket.writableCorked === 0) {
    socket.cork();
    process.nextTick(uncork, socket);
  }
  sendFrame(webSocket, frame);
}

function uncork(socket: Socket): void {
  socket.uncork();
}

function insideOf(webSocket: WebSocket) {
  return webSocket as unknown as { _sender: { sendFrame(parts: [Buffer]): void }; _socket: Socket };
}
