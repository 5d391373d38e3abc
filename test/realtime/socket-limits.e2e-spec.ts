/** Socket.IO: limits on events, sockets and chats. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Socket } from 'node:net';
import { AuthService } from '../../src/auth/guard/auth.service.js';
import { connected, refusalOf } from '../support/clients/socket.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { within } from '../support/clients/event-log.js';
import { gate } from '../support/provider/provider.js';
import type { SocketClient } from '../support/clients/socket.js';
import type { TestUser } from '../support/app/user.js';

describe('the limits of Socket.IO', () => {
  let limited: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    limited = await startTestApp({ env: { RATE_LIMIT_SCALE: '1' } });
    user = await limited.user().withConfig(limited.provider).create();
  });
  afterAll(() => limited?.stop());

  const burst = async (socket: SocketClient, count: number) => {
    const acks = Array.from({ length: count }, () =>
      socket.emit('conversation.close', { conversation_id: 1 }),
    );
    return Promise.all(acks);
  };

  it('refuse events beyond 50 a second per socket, and answer the rest', async () => {
    const socket = await connected(user.socket());

    // A second may end in the middle.
    const acks = await burst(socket, 130);

    const refused = acks.filter(({ ok }) => !ok);
    expect(refused.length).toBeGreaterThanOrEqual(30);
    expect(acks.length - refused.length).toBeGreaterThanOrEqual(50);
    expect(refused[0]!.error).toMatchObject({
      status: 429,
      code: 'rate_limited',
      detail: 'Too many events; slow down.',
      retry_after: 1,
    });
    expect(socket.io.connected).toBe(true);
    await socket.close();
  });

  it('close only the socket that sends 1,000 events in a second', async () => {
    const bystander = await connected(user.socket());
    const socket = await connected(user.socket());

    for (let n = 0; n < 1000; n++) socket.io.emit('conversation.close', { conversation_id: 1 });

    await within(socket.disconnected, 'It was not closed', 3000);
    expect(await bystander.emit('conversation.close', { conversation_id: 1 })).toMatchObject({ ok: true });
    await bystander.close();
  });

  it('refuse a user’s 21st socket of either kind until one disconnects', async () => {
    const { id } = await user.createConversation();
    const sockets = await Promise.all(Array.from({ length: 10 }, () => connected(user.socket())));
    const webSockets = Array.from({ length: 10 }, () => user.ws(id));
    await Promise.all(webSockets.map((ws) => ws.until(({ type }) => type === 'conversation.snapshot')));

    expect(await refusalOf(user.socket())).toMatchObject({
      status: 429,
      code: 'rate_limited',
      retry_after: expect.any(Number),
    });
    expect(await user.ws(id).closed).toMatchObject({ code: 4429 });

    await sockets[0]!.close();
    await webSockets[0]!.close();
    sockets.push(await eventually(() => connected(user.socket())));
    await Promise.all([...sockets, ...webSockets].map((client) => client.close()));
  });

  it('do not count a socket that disconnected before authentication', async () => {
    const { id } = await user.createConversation();
    const inServer: Promise<unknown>[] = [];
    limited.app.getHttpServer().on('connection', (connection: Socket) => {
      inServer.push(new Promise((resolve) => connection.once('close', resolve)));
    });
    const auth = limited.app.get(AuthService);
    const authenticate = auth.authenticate.bind(auth);
    const held = gate();
    const spy = jest.spyOn(auth, 'authenticate').mockImplementation(async (token) => {
      await (held as unknown as () => Promise<void>)();
      return authenticate(token);
    });

    const sockets = Array.from({ length: 10 }, () => user.socket());
    const webSockets = Array.from({ length: 10 }, () => user.ws(id));
    while (spy.mock.calls.length < 20) await new Promise(setImmediate);
    sockets.forEach(({ io }) => io.io.engine.close());
    webSockets.forEach(({ socket }) => socket.terminate());
    await within(Promise.all(inServer), 'The server did not receive the close');
    held.open();
    await Promise.all(spy.mock.results.map(({ value }) => value as Promise<unknown>));
    spy.mockRestore();

    const all = await Promise.all(Array.from({ length: 20 }, () => connected(user.socket())));
    await Promise.all(all.map((socket) => socket.close()));
  });

  it('share one budget for a user’s chats over HTTP and sockets', async () => {
    const other = await limited.user().withConfig(limited.provider).create();
    const { id } = await other.createConversation();
    const socket = other.socket();
    for (let n = 0; n < 15; n++) {
      expect((await other.send(id, `${n}`)).status).toBe(200);
      await socket.chat(id, `${n}`);
    }

    const ack = await socket.emit('chat.send', { conversation_id: id, content: 'One too many' });
    const answer = await other.send(id, 'One too many');

    expect(ack).toMatchObject({ ok: false, error: { status: 429, code: 'rate_limited' } });
    expect(answer).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  });

  /** Repeats an attempt until it succeeds: the server receives the close of a connection a little later. */
  async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + 5000;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }
});
