/** DNS rebinding: names whose addresses change between queries. */
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { EgressGuard } from '../../src/ai/egress/egress-guard.js';
import { RESOLVE_HOST, type ResolveHost, resolveName } from '../../src/ai/egress/resolve-host.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { DnsServer } from '../support/infrastructure/dns.js';
import { LogLines } from '../support/app/log-lines.js';
import type { Thing } from '../support/clients/http.js';

const OUTSIDE = '127.0.0.2';
const INSIDE = '127.0.0.1';

const log = new LogLines();
let t: TestApp;
let dns: DnsServer;
let inside: Server;
/** Returns the addresses of the next DNS answer. */
let answers: () => string[];
const opened: Server[] = [];
let hits = 0;

beforeAll(async () => {
  dns = await DnsServer.start(() => answers());
  const resolve: ResolveHost = (name) => resolveName(name, dns.resolver());
  t = await startTestApp({
    env: { MODEL_URL_ALLOWED_HOSTS: 'nothing.test' },
    log,
    providers: [[RESOLVE_HOST, resolve]],
  });
  treatAsPublic(t.app.get(EgressGuard) as never);
});
afterAll(async () => {
  await t?.stop();
  await dns?.stop();
});
afterEach(() => opened.splice(0).forEach((server) => server.close()));

/** Treats another loopback address as public, so that no test leaves the machine. */
function treatAsPublic(egress: { isAllowed(address: string): boolean }): void {
  const isAllowed = egress.isAllowed.bind(egress);
  jest.spyOn(egress, 'isAllowed').mockImplementation((each) => each === OUTSIDE || isAllowed(each));
}

/** Starts a provider on the public address and a forbidden server on the private one. @returns their common port */
async function startBoth(provider: RequestListener): Promise<number> {
  const outside = createHttpServer((request, response) => {
    // Forces a DNS query for every request.
    response.setHeader('Connection', 'close');
    provider(request, response);
  });
  await once(outside.listen(0, OUTSIDE), 'listening');
  const { port } = outside.address() as AddressInfo;
  hits = 0;
  inside = createServer((socket) => {
    hits++;
    socket.destroy();
  });
  await once(inside.listen(port, INSIDE), 'listening');
  opened.push(outside, inside);
  return port;
}

const sayHello: RequestListener = (_request, response) => {
  const delta = { choices: [{ index: 0, delta: { content: 'Hello' }, finish_reason: 'stop' }] };
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.end(`data: ${JSON.stringify(delta)}\n\ndata: [DONE]\n\n`);
};

async function userOf(port: number) {
  const ada = await t.user().create();
  const config = { model_url: `http://rebinding.test:${port}/v1`, model_name: 'm', api_key: 'k' };
  const { status, body } = await ada.post('/auth/config/create', config);
  expect(status).toBe(201);
  return { ada, configId: body.id };
}

it('changing DNS answers never connect to a private address, in 1,000 tries', async () => {
  let served = 0;
  const port = await startBoth((request, response) => {
    served++;
    sayHello(request, response);
  });
  const { ada, configId } = await userOf(port);
  const turns = [
    [OUTSIDE],
    [INSIDE],
    [OUTSIDE, INSIDE],
    [INSIDE, OUTSIDE],
    ['::1'],
    [OUTSIDE, '::1'],
    [OUTSIDE],
  ];
  let turn = 0;
  answers = () => turns[turn++ % turns.length]!;

  const attack = async () => {
    for (let i = 0; i < 100; i++) {
      const { body } = await ada.post<{ ok: boolean; error?: Thing }>(`/auth/config/${configId}/test`);
      if (!body.ok) expect(body.error).toMatchObject({ code: 'upstream_unreachable' });
    }
  };
  await Promise.all(Array.from({ length: 10 }, attack));

  expect(hits).toBe(0);
  expect(dns.queries).toBeGreaterThanOrEqual(2_000);
  // Requests to the public address succeed, so the attempts were real.
  expect(served).toBeGreaterThan(100);
}, 120_000);

it('changing DNS answers do not connect the title request to a private address after a public chat', async () => {
  answers = () => [OUTSIDE];
  const port = await startBoth((request, response) => {
    answers = () => [INSIDE];
    sayHello(request, response);
  });
  const { ada } = await userOf(port);
  const { id } = await ada.createConversation();

  expect(await ada.send(id, 'Hi')).toMatchObject({
    status: 200,
    body: { assistant_message: { content: 'Hello' } },
  });
  await log.until((line) => line.msg === 'Provider failed' && line.task === 'title');
  expect(await ada.get(`/conversations/${id}`)).toMatchObject({ body: { title_source: 'default' } });
  expect(hits).toBe(0);
});
