import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { SafePongServer } from './safe-pong-server.js';

let http: Server;
let frames: SafePongServer;
/** Server and client sockets to destroy after each test. */
const ends: { destroy(): void }[] = [];
beforeEach(async () => {
  http = createServer().listen(0, '127.0.0.1');
  frames = new SafePongServer({ noServer: true });
  await once(http, 'listening');
});
afterEach(() => {
  http.close();
  ends.splice(0).forEach((end) => end.destroy());
});

/** Accepts the next WebSocket handshake. */
function accept(): Promise<WebSocket> {
  return new Promise((resolve) =>
    http.once('upgrade', (request, socket, head) => {
      ends.push(socket);
      frames.handleUpgrade(request, socket, head, resolve);
    }),
  );
}

const port = () => (http.address() as AddressInfo).port;

/** A masked ping frame: mask and 125-byte payload are zeros. */
const PING = Buffer.concat([Buffer.from([0x89, 0x80 | 125]), Buffer.alloc(4 + 125)]);
const HANDSHAKE = [
  'GET / HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
].join('\r\n');

/** Connects a client that never reads. */
function connectNonReading(): Socket {
  const socket = connect(port(), '127.0.0.1').pause();
  ends.push(socket);
  socket.write(`${HANDSHAKE}\r\n\r\n`);
  return socket;
}

describe('SafePongServer', () => {
  it('answers pings', async () => {
    const accepted = accept();
    const client = new WebSocket(`ws://127.0.0.1:${port()}`);
    await once(client, 'open');
    client.ping('here?');

    expect(String((await once(client, 'pong'))[0])).toBe('here?');
    await accepted;
  });

  it('bounds the buffered pongs of a client that pings without reading', async () => {
    const accepted = accept();
    const client = connectNonReading();
    const server = await accepted;
    const count = 100_000;
    let pings = 0;
    let most = 0;
    const allSeen = new Promise<void>((resolve) =>
      server.on('ping', () => {
        most = Math.max(most, server.bufferedAmount);
        if (++pings === count) resolve();
      }),
    );
    for (let sent = 0; sent < count; sent += 1000)
      client.write(Buffer.concat(Array<Buffer>(1000).fill(PING)));
    await allSeen;

    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(128 * 1024);
  });
});
