import { afterEach, describe, expect, it } from '@jest/globals';
import type { Response } from 'express';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sendPieces } from './send-pieces.js';

describe('sendPieces', () => {
  const PIECE = 'x'.repeat(64 * 1024);
  let server: Server;

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  /** Serves pieces. @returns the first response, and the promise of `sendPieces` */
  async function serve(pieces: (response: ServerResponse) => AsyncGenerator<string>) {
    let sent: Promise<unknown> | undefined;
    server = createServer((_, response) => {
      sent = sendPieces(response as Response, pieces(response)).catch((error: unknown) => error);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const [answer] = (await once(get({ port, host: '127.0.0.1' }), 'response')) as [IncomingMessage];
    return { answer, sent: () => sent };
  }

  it('waits for a slow client with one listener for the end of the response', async () => {
    const listeners: number[] = [];
    const { answer, sent } = await serve(async function* (response) {
      response.prependListener('drain', () => listeners.push(response.listenerCount('close')));
      for (let i = 0; i < 200; i++) yield PIECE;
    });
    let length = 0;
    for await (const bytes of answer) length += (bytes as Buffer).length;

    expect(length).toBe(200 * PIECE.length);
    expect([...new Set(listeners)]).toEqual([1]);
    expect(await sent()).toBeUndefined();
  });

  it('stops reading its source when the client disconnects', async () => {
    let stopped = false;
    const { answer, sent } = await serve(async function* () {
      try {
        for (;;) yield PIECE;
      } finally {
        stopped = true;
      }
    });
    answer.destroy();

    expect(await sent()).toBeUndefined();
    expect(stopped).toBe(true);
  });

  it('breaks the response off on an error in the middle', async () => {
    const { answer, sent } = await serve(async function* () {
      yield PIECE;
      throw new Error('unreadable');
    });

    await expect(answer.toArray()).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await sent()).toEqual(new Error('unreadable'));
  });
});
