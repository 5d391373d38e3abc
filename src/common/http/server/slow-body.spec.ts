import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { allowSlowBody, onClientError, SLOW_BODY } from './slow-body.js';

const LIMIT_MS = 300;
const limits = { ...SLOW_BODY };
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const refused: string[] = [];
let server: Server;

beforeAll(async () => {
  Logger.overrideLogger(false);
  Object.assign(SLOW_BODY, { totalMs: LIMIT_MS, idleMs: LIMIT_MS });
  server = createServer(async (request, response) => {
    if (request.url === '/slow') await delay(2 * LIMIT_MS);
    else allowSlowBody(request, () => refused.push(request.url!));
    const body = await text(request).catch(() => '');
    if (request.url === '/inspected') await delay(2 * LIMIT_MS);
    response.end(body);
  }).on('clientError', onClientError);
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(() => {
  Object.assign(SLOW_BODY, limits);
  agent.destroy();
  server.closeAllConnections();
  server.close();
});

function post(path: string) {
  const { port } = server.address() as AddressInfo;
  return httpRequest({ host: '127.0.0.1', port, path, method: 'POST', agent });
}

async function answerOf(request: ReturnType<typeof post>) {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response), socket: request.socket as Socket };
}

it('limits no later request of the connection', async () => {
  const upload = await answerOf(post('/upload').end('body'));
  const later = await answerOf(post('/slow').end('later'));

  expect(later).toMatchObject({ status: 200, body: 'later' });
  expect(later.socket).toBe(upload.socket);
  expect(refused).toEqual([]);
});

it('limits no response, once the body has arrived', async () => {
  expect(await answerOf(post('/inspected').end('body'))).toMatchObject({ status: 200, body: 'body' });
  expect(refused).toEqual([]);
});

it('refuses a body that stalls with 408, and reports it once', async () => {
  const stalling = post('/stalling');
  stalling.write('begin');
  const { status } = await answerOf(stalling);

  expect(status).toBe(408);
  expect(refused).toEqual(['/stalling']);
});

it('refuses a body that takes too long, though it never stalls', async () => {
  Object.assign(SLOW_BODY, { idleMs: 60_000 });
  const slow = post('/long');
  slow.write('begin');
  const { status } = await answerOf(slow);

  expect(status).toBe(408);
  expect(refused).toContain('/long');
});
