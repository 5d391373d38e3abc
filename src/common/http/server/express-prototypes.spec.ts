import { expect, it } from '@jest/globals';
import type { Express } from 'express';
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpAdapter } from './http-adapter.js';

const prototypesOf = (...objects: [IncomingMessage, ServerResponse]) =>
  objects.map((object) => Object.getPrototypeOf(object) as object);

it('gives requests and responses prototypes that Express does not change', async () => {
  const adapter = new HttpAdapter();
  const express = adapter.getInstance<Express>();
  adapter.initHttpServer();
  const server = adapter.getHttpServer() as Server;
  let created: object[] = [];
  let handled: object[] = [];
  server.prependListener('request', (request, response) => (created = prototypesOf(request, response)));
  express.get('/', (request, response) => {
    handled = prototypesOf(request, response);
    response.json({ ip: request.ip });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  server.close();

  expect(await response.json()).toEqual({ ip: '127.0.0.1' });
  expect(created).toHaveLength(2);
  expect(handled[0]).toBe(created[0]);
  expect(handled[1]).toBe(created[1]);
});
