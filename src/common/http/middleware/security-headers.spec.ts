import { afterEach, expect, it } from '@jest/globals';
import express from 'express';
import { once } from 'node:events';
import { get, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { securityHeaders } from './security-headers.js';

let server: Server;
afterEach(() => void server.close());

async function headersOf(
  path: string,
  settings: { production: boolean; publicUrl?: string },
  Host = 'chat.example.com',
): Promise<IncomingHttpHeaders> {
  const app = express().use(...securityHeaders(settings), (_request, response) => void response.end());
  server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const [response] = (await once(
    get({ host: '127.0.0.1', port, path, headers: { Host }, agent: false }),
    'response',
  )) as [IncomingMessage];
  response.resume();
  return response.headers;
}

const policyOf = (connect: string, more = '') =>
  `default-src 'self';connect-src 'self' ${connect};object-src 'none';base-uri 'none';form-action 'self';frame-ancestors 'none'${more}`;
const SOCKETS = 'ws://chat.example.com wss://chat.example.com';
const FOR_DOCS = ";style-src 'self' 'unsafe-inline';img-src 'self' data:";

it.each([
  ['/', false, ''],
  ['/', true, ';upgrade-insecure-requests'],
  ['/docs', false, FOR_DOCS],
  ['/docs/swagger-ui.css', true, `;upgrade-insecure-requests${FOR_DOCS}`],
  ['/docs-of-others', false, ''],
])('%s has its policy; production: %s', async (path, production, more) => {
  const headers = await headersOf(path, { production });

  expect(headers['content-security-policy']).toBe(policyOf(SOCKETS, more));
  expect(headers).toMatchObject({
    ...{ 'x-frame-options': 'DENY', 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' },
  });
  expect(headers['strict-transport-security']).toBe(
    production ? 'max-age=31536000; includeSubDomains' : undefined,
  );
});

it('allows sockets to the public address, and to no host that adds a directive', async () => {
  const production = false;
  const headers = await headersOf('/', { production, publicUrl: 'https://chat.example.com:8443/app' });
  expect(headers['content-security-policy']).toBe(policyOf(`${SOCKETS} wss://chat.example.com:8443`));
  server.close();
  const forged = await headersOf('/', { production, publicUrl: 'http://a.example' }, 'a;script-src *');
  expect(forged['content-security-policy']).toBe(policyOf("'self' 'self' ws://a.example"));
});
