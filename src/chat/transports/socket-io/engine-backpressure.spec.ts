import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { io, type Socket as ClientSocket } from 'socket.io-client';
import { ParleyEvent } from '../../../events/parley-event.js';
import { MAX_WAITING_BYTES } from '../shared/backpressure.js';
import { EncodedEvent } from './encoded-event.js';
import { EngineBackpressure } from './engine-backpressure.js';

const LONG = 'x'.repeat(MAX_WAITING_BYTES / 2);
function send({ conn }: Socket, text: string): void {
  const { message, options } = new EncodedEvent('/chat', new ParleyEvent('message.delta', { text }));
  conn.write(message, options);
}

let http: HttpServer;
let server: Server;
let client: ClientSocket;
beforeEach(async () => {
  http = createServer().listen(0, '127.0.0.1');
  server = new Server(http);
  await once(http, 'listening');
});
afterEach(async () => {
  const { engine } = client.io;
  const closed = new Promise((resolve) => engine.once('close', resolve));
  client.close();
  if (engine.readyState !== 'closed') await closed;
  await server.close();
});

const received = (event: string) => new Promise<unknown>((resolve) => client.once(event, resolve));

/** @returns the server's socket, once its buffer is empty */
async function connect(transport: 'websocket' | 'polling') {
  const { port } = http.address() as AddressInfo;
  const connected = once(server.of('/chat'), 'connection') as Promise<[Socket]>;
  client = io(`http://127.0.0.1:${port}/chat`, { transports: [transport], reconnection: false });
  const [[socket]] = await Promise.all([connected, received('connect')]);
  return { socket, backpressure: new EngineBackpressure(socket.conn) };
}

describe.each(['websocket', 'polling'] as const)('over %s', (transport) => {
  it('an encoded event arrives in order with events emitted by Socket.IO', async () => {
    const { socket } = await connect(transport);
    const types: string[] = [];
    client.onAny((type: string) => types.push(type));
    socket.emit('first');
    send(socket, 'Grüße');
    const delta = received('message.delta');
    socket.emit('last');
    await received('last');

    expect(types).toEqual(['first', 'message.delta', 'last']);
    expect(await delta).toEqual({ text: 'Grüße' });
  });

  it('a client for which more than the limit is buffered is disconnected', async () => {
    const { socket, backpressure } = await connect(transport);
    const closed = once(socket.conn, 'close');
    // In one tick, so that the client reads nothing in between.
    for (let n = 0; n < 4; n++) send(socket, LONG);

    expect(backpressure.bufferedAmount).toBeGreaterThan(MAX_WAITING_BYTES);
    await closed;
  });

  it('missed events in the buffer do not count', async () => {
    const { socket, backpressure } = await connect(transport);
    send(socket, LONG);
    send(socket, LONG);
    backpressure.resetAllowance();
    send(socket, LONG);
    socket.emit('last');
    await received('last');

    expect(socket.connected).toBe(true);
  });
});
