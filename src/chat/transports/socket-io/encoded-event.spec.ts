import { describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { ParleyEvent } from '../../../events/parley-event.js';
import { EncodedEvent } from './encoded-event.js';
import type { ChatSocket } from './chat-socket.js';

/** What a socket is given to write. */
function writtenOf(packet: EncodedEvent) {
  const written: { message: string; frame: Buffer }[] = [];
  const write = (message: string, options: { wsPreEncodedFrame: Buffer[] }) =>
    written.push({ message, frame: Buffer.concat(options.wsPreEncodedFrame) });
  packet.sendTo({ conn: { write }, data: { client: { sendFrame: () => false } } } as unknown as ChatSocket);
  return written[0]!;
}

function frameByWs(text: string): Buffer {
  // Its types do not know of it; Socket.IO's own adapter uses it so.
  type Sender = { frame(data: Buffer, options: object): Buffer[] };
  const { frame } = (WebSocket as unknown as { Sender: Sender }).Sender;
  const options = { fin: true, opcode: 1, mask: false, rsv1: false, readOnly: false };
  return Buffer.concat(frame(Buffer.from(text), options));
}

describe('SharedPacket', () => {
  it('is an event of its namespace', () => {
    const packet = new EncodedEvent('/chat', new ParleyEvent('message.delta', { text: 'Grüße' }));

    expect(writtenOf(packet).message).toBe('2/chat,["message.delta",{"text":"Grüße"}]');
  });

  it('tells where a client stands that comes back', () => {
    const packet = new EncodedEvent('/chat', new ParleyEvent('message.created', { n: 1 }), 'a.1');

    expect(writtenOf(packet).message).toBe('2/chat,["message.created",{"n":1},"a.1"]');
  });

  const overhead = '42/chat,["message.delta",{"text":""}]'.length;
  it.each([0, 125 - overhead, 126 - overhead, 65_535 - overhead, 65_536 - overhead])(
    'has the frame that ws makes of it, with a text of %i bytes',
    (length) => {
      const event = new ParleyEvent('message.delta', { text: 'x'.repeat(length) });
      const { message, frame } = writtenOf(new EncodedEvent('/chat', event));

      expect(frame.equals(frameByWs(`4${message}`))).toBe(true);
    },
  );

  it('counts the bytes of what is not ASCII', () => {
    const event = new ParleyEvent('message.delta', { text: '日本語👋'.repeat(20) });
    const { message, frame } = writtenOf(new EncodedEvent('/chat', event));

    expect(frame.equals(frameByWs(`4${message}`))).toBe(true);
  });
});
