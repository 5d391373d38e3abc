import { ExpressAdapter } from '@nestjs/platform-express';
import type { Express, Response } from 'express';
import { IncomingMessage, type Server, type ServerOptions, ServerResponse } from 'node:http';
import { EdgeServer } from './edge-server.js';
import { readForwarded } from './forwarded.js';
import { isLarge, sendJson } from '../../json/json-pieces.js';

const LIMITS = {
  // Slow senders are cut: headers within 10 s, a whole request within 30 s, looked at every 2 s.
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
  // Longer than the 60 s after which the usual load balancers drop an idle connection, so that they do it first.
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16 * 1024,
};

/** Express on a server that slow senders cannot exhaust, and that can be closed while clients keep connections alive. */
export class HttpAdapter extends ExpressAdapter {
  override initHttpServer(): void {
    const express = this.getInstance<Express>();
    this.httpServer = new EdgeServer({ ...LIMITS, ...classesFor(express) }, express);
    readForwarded(express.request);
  }

  /** Long JSON leaves in pieces, so that no turn of the event loop is long. */
  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    if (!isLarge(body)) return super.reply(response, body, statusCode) as unknown;
    if (statusCode !== undefined) response.status(statusCode);
    return sendJson(response, body as object);
  }

  /** Called when shutting down begins; the server stops listening once running replies have had their grace. */
  override beforeClose(): void {
    super.beforeClose();
    closeConnectionsOnceIdle(this.httpServer as Server);
  }
}

/**
 * Express gives each request and each response another prototype than Node has given it, after which V8 keeps a hidden
 * class for each single object, and no cache of a property's place ever hits: an eighth of a request's time. Those of
 * these classes have Express's prototypes from the start, and are left as they are.
 */
function classesFor(express: Express): ServerOptions {
  class ExpressRequest extends IncomingMessage {}
  class ExpressResponse<T extends IncomingMessage> extends ServerResponse<T> {}
  express.request = Object.setPrototypeOf(ExpressRequest.prototype, express.request);
  express.response = Object.setPrototypeOf(ExpressResponse.prototype, express.response);
  return { IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
}

/** Node closes idle connections once, when listening ends; those that become idle later would keep the process. */
function closeConnectionsOnceIdle(server: Server): void {
  let rounds = 0;
  const sweep = setInterval(() => {
    if (server.listening) return;
    if (++rounds > 50) server.closeAllConnections();
    else server.closeIdleConnections();
  }, 100);
  server.once('close', () => clearInterval(sweep));
}
