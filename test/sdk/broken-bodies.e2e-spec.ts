import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createParley } from '../../sdk/typescript/src/index.js';

let server: Server;
afterEach(() => void server.close());

/** Answers every request with these bytes, then breaks the connection. */
async function answering(response: string) {
  server = createServer((socket) =>
    socket.once('data', () => socket.write(response, () => socket.destroy())),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return createParley({ baseUrl: `http://127.0.0.1:${port}` });
}

const head = (status: string, length: string) =>
  `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n${length}\r\n\r\n`;

describe('a connection that breaks in the body of a response', () => {
  it.each([
    ['before its first byte', head('200 OK', 'Content-Length: 40')],
    ['in the middle of JSON', `${head('200 OK', 'Content-Length: 40')}{"access_token":`],
    ['between chunks', `${head('200 OK', 'Transfer-Encoding: chunked')}5\r\n{"acc\r\n`],
    ['in the middle of a problem', `${head('503 Service Unavailable', 'Content-Length: 90')}{"code":`],
  ])('is a network_error %s', async (_, response) => {
    const parley = await answering(response);

    await expect(parley.auth.login({ email: 'ada@example.com', password: 'x' })).rejects.toMatchObject({
      name: 'ParleyError',
      code: 'network_error',
      status: 0,
    });
    parley.close();
  });
});
