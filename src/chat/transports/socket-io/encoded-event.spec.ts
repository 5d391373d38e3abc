import { describe, expect, it } from '@jest/globals';
import { type AddressInfo, connect } from 'node:net';
import { WebSocketServer } from 'ws';
import { ParleyEvent } from '../../../events/parley-event.js';
import { EncodedEvent } from './encoded-event.js';

const HANDSHAKE = [
  'GET / HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
  '\r\n',
].join('\r\n');

const frameOf = ({ options }: EncodedEvent) => Buffer.concat(options.wsPreEncodedFrame);

/** @returns the bytes that ws writes for a text message */
async function frameByWs(text: string): Promise<Buffer> {
  const server = new WebSocketServer({ port: 0, perMessageDeflate: false });
  server.once('connection', (socket) => socket.send(text));
  const client = connect((server.address() as AddressInfo).port);
  client.write(HANDSHAKE);
  let received = Buffer.alloc(0);
  const length = () => received.indexOf('\r\n\r\n') + 4;
  for await (const bytes of client) {
    received = Buffer.concat([received, bytes as Buffer]);
    if (received.length - length() > Buffer.byteLength(text)) break;
  }
  server.close();
  return received.subarray(length());
}

describe('EncodedEvent', () => {
  it('encodes an event packet of its namespace', () => {
    const encoded = new EncodedEvent('/chat', new ParleyEvent('message.delta', { text: 'Grüße' }));

    expect(encoded.message).toBe('2/chat,["message.delta",{"text":"Grüße"}]');
  });

  it('adds the offset as second argument for recoverable clients', () => {
    const encoded = new EncodedEvent('/chat', new ParleyEvent('message.created', { n: 1 }), 'a.1');

    expect(encoded.message).toBe('2/chat,["message.created",{"n":1},"a.1"]');
  });

  const overhead = '42/chat,["message.delta",{"text":""}]'.length;
  it.each([0, 125 - overhead, 126 - overhead, 65_535 - overhead, 65_536 - overhead])(
    'has the same frame as ws for a text of %i bytes',
    async (length) => {
      const event = new ParleyEvent('message.delta', { text: 'x'.repeat(length) });
      const encoded = new EncodedEvent('/chat', event);

      expect(frameOf(encoded).equals(await frameByWs(`4${encoded.message}`))).toBe(true);
    },
  );

  it('measures non-ASCII text in bytes', async () => {
    const event = new ParleyEvent('message.delta', { text: '日本語👋'.repeat(20) });
    const encoded = new EncodedEvent('/chat', event);

    expect(frameOf(encoded).equals(await frameByWs(`4${encoded.message}`))).toBe(true);
  });
});
