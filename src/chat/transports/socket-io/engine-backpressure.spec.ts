import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { io, type Socket as ClientSocket } from 'socket.io-client';
import { EngineBackpressure } from './engine-backpressure.js';
import { textFrame } from '../shared/text-frame.js';

const FIRST = textFrame('42["first"]');
const FRAME = textFrame('42["second"]');

let http: HttpServer;
let server: Server;
let client: ClientSocket;
beforeEach(async () => {
  http = createServer().listen(0, '127.0.0.1');
  server = new Server(http);
  await once(http, 'listening');
});
afterEach(async () => {
  client.close();
  await server.close();
});

const heard = (event: string) => new Promise<void>((resolve) => client.once(event, () => resolve()));

/** @returns the server's side, once nothing is on its way, and what the client gets from then on */
async function connect(transport: 'websocket' | 'polling') {
  const { port } = http.address() as AddressInfo;
  const connected = once(server, 'connection') as Promise<[Socket]>;
  client = io(`http://127.0.0.1:${port}`, { transports: [transport] });
  const [[socket]] = await Promise.all([connected, heard('connect')]);
  const received: string[] = [];
  client.onAny((event: string) => received.push(event));
  return { conn: socket.conn, socket, received, backlog: new EngineBackpressure(socket.conn) };
}

describe('ConnectionBacklog', () => {
  it('writes a frame past Engine.IO', async () => {
    const { backlog, received } = await connect('websocket');

    expect(backlog.sendFrame(FRAME, true)).toBe(true);
    await heard('second');
    expect(received).toEqual(['second']);
  });

  it('writes together what follows in one turn, in its order', async () => {
    const { backlog, socket, received } = await connect('websocket');
    const { _handle } = socket.conn.request.socket as unknown as { _handle: Record<string, () => number> };
    const writes: string[] = [];
    for (const write of [
      'writev',
      'writeBuffer',
      'writeUtf8String',
      'writeLatin1String',
      'writeAsciiString',
    ]) {
      const original = _handle[write]!;
      _handle[write] = function (...parameters) {
        writes.push(write);
        return original.apply(this, parameters);
      };
    }
    backlog.sendFrame(FIRST, false);
    backlog.sendFrame(FRAME, true);
    await Promise.resolve();
    backlog.sendFrame(FIRST, false);
    socket.emit('third');
    await heard('third');

    expect(received).toEqual(['first', 'second', 'first', 'third']);
    expect(writes).toEqual(['writev']);
  });

  it('lets nothing pass what is on its way already', async () => {
    const { backlog, socket, conn, received } = await connect('websocket');
    socket.emit('first');
    socket.emit('first');

    expect(backlog.sendFrame(FRAME, true)).toBe(false);
    conn.write('2["second"]');
    await heard('second');
    expect(received).toEqual(['first', 'first', 'second']);
  });

  it('leaves a client that polls to Engine.IO', async () => {
    const { backlog } = await connect('polling');

    expect(backlog.sendFrame(FRAME, true)).toBe(false);
  });

  it('writes nothing to a connection that is being closed', async () => {
    const { backlog, conn } = await connect('websocket');
    conn.close();

    expect(backlog.sendFrame(FRAME, true)).toBe(false);
  });
});
