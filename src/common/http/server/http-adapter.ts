import { ExpressAdapter } from '@nestjs/platform-express';
import type { Express, Response } from 'express';
import type { Server } from 'node:http';
import { EdgeServer } from './edge-server.js';
import { expressPrototypes } from './express-prototypes.js';
import { readForwarded } from './forwarded.js';
import { isLarge } from '../../json/json-pieces.js';
import { sendJson } from './send-pieces.js';

const LIMITS = {
  // Slow senders are disconnected: headers within 10 s, a request within 30 s, checked every 2 s. Uploads have longer.
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
  // Longer than the usual 60 s of load balancers, so that they close idle connections first.
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16 * 1024,
};

/** Express on an EdgeServer, with time limits for slow senders and a clean close of keep-alive connections. */
export class HttpAdapter extends ExpressAdapter {
  override initHttpServer(): void {
    const express = this.getInstance<Express>();
    this.httpServer = new EdgeServer({ ...LIMITS, ...expressPrototypes(express) }, express);
    readForwarded(express.request);
  }

  /** Sends large JSON in pieces, to keep ticks of the event loop short. */
  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    if (!isLarge(body)) return super.reply(response, body, statusCode) as unknown;
    if (statusCode !== undefined) response.status(statusCode);
    return sendJson(response, body as object);
  }

  /** Called at the start of a shutdown; the server stops listening after the grace of running replies. */
  override beforeClose(): void {
    super.beforeClose();
    closeConnectionsOnceIdle(this.httpServer as Server);
  }
}

/** Node closes idle connections only once, when listening ends; later ones would keep the process alive. */
function closeConnectionsOnceIdle(server: Server): void {
  let rounds = 0;
  const sweep = setInterval(() => {
    if (server.listening) return;
    if (++rounds > 50) server.closeAllConnections();
    else server.closeIdleConnections();
  }, 100);
  server.once('close', () => clearInterval(sweep));
}
