import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { HttpAdapterHost } from '@nestjs/core';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { StalledConnections } from './stalled-connections.js';

/** Larger than the kernel buffers of both sockets. */
const LONG = Buffer.alloc(32 * 1024 * 1024);

describe('StalledConnections', () => {
  let server: Server;
  let stalled: StalledConnections;
  let client: Socket;
  let inServer: Socket;

  beforeEach(async () => {
    // Real sockets with a fake clock.
    jest.useFakeTimers({
      doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'setTimeout', 'clearTimeout'],
    });
    server = createServer((_request, response) => response.end(LONG));
    const host = { httpAdapter: { getHttpServer: () => server } } as unknown as HttpAdapterHost;
    stalled = new StalledConnections(host);
    stalled.onApplicationBootstrap();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => undefined).pause();
    [inServer] = (await once(server, 'connection')) as [Socket];
  });

  afterEach(async () => {
    stalled.onModuleDestroy();
    jest.useRealTimers();
    client.destroy();
    server.closeAllConnections();
    await once(server.close(), 'close');
  });

  const requestLongBody = async () => {
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    while (inServer.writableLength === 0) await new Promise(setImmediate);
    await quiet();
  };
  /** Resolves when the kernel accepts no more data. */
  const quiet = async () => {
    const { _handle } = inServer as unknown as { _handle: { writeQueueSize: number } };
    for (let before = -1; before !== _handle.writeQueueSize;) {
      before = _handle.writeQueueSize;
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    }
  };

  it('finds the write queue in a private field of Node', () => {
    const { _handle } = inServer as unknown as { _handle: { writeQueueSize?: unknown } };

    expect(_handle.writeQueueSize).toEqual(expect.any(Number));
  });

  it('adds no second listener to a watched connection', () => {
    const before = inServer.listenerCount('close');

    stalled.watch(inServer);

    expect(inServer.listenerCount('close')).toBe(before);
  });

  it('destroys a connection that reads nothing for 10 s, also during one long write', async () => {
    await requestLongBody();
    jest.advanceTimersByTime(2_000);

    jest.advanceTimersByTime(8_000);
    expect(inServer.destroyed).toBe(false);
    jest.advanceTimersByTime(3_000);

    expect(inServer.destroyed).toBe(true);
  });

  it('keeps a connection that reads slowly, though no write completes', async () => {
    await requestLongBody();

    for (let n = 0; n < 5; n++) {
      jest.advanceTimersByTime(9_000);
      client.resume();
      for (let taken = 0; taken < 3 * 1024 * 1024;) {
        const [data] = (await once(client, 'data')) as [Buffer];
        taken += data.length;
      }
      client.pause();
      await quiet();
    }

    expect(inServer.writableLength).toBeGreaterThan(0);
    expect(inServer.destroyed).toBe(false);
  });

  it('forgets a closed connection', async () => {
    const { connections, progress } = stalled as unknown as Record<string, { size: number }>;
    await requestLongBody();
    jest.advanceTimersByTime(1_000);
    expect([connections!.size, progress!.size]).toEqual([1, 1]);

    inServer.destroy();
    await once(inServer, 'close');

    expect([connections!.size, progress!.size]).toEqual([0, 0]);
  });

  it('keeps an idle connection without pending data', () => {
    jest.advanceTimersByTime(60_000);

    expect(inServer.destroyed).toBe(false);
  });
});
