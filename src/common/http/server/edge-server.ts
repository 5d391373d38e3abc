import type { Express } from 'express';
import { type IncomingMessage, Server, type ServerOptions, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { declaresTooMuch } from '../middleware/body-limit.js';
import { onClientError } from './slow-body.js';
import { isWebSocket, serveWithoutUpgrade } from './upgrades.js';

/**
 * An HTTP server that filters `request` and `upgrade` events. Socket.IO takes over the listeners of `request`, and
 * would read large bodies and answer TRACE.
 */
export class EdgeServer extends Server {
  constructor(
    options: ServerOptions,
    private readonly express: Express,
  ) {
    super(options, express);
    // Keeps all headers, because `serveWithoutUpgrade` writes them again; `maxHeaderSize` limits them.
    this.maxHeadersCount = 0;
    this.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if (!declaresTooMuch(request)) response.writeContinue();
      this.emit('request', request, response);
    });
    this.on('clientError', onClientError);
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  override emit(event: string, ...args: any[]): boolean {
    if (event === 'request') return this.request(...(args as [IncomingMessage, ServerResponse]));
    if (event === 'upgrade') return this.upgrade(...(args as [IncomingMessage, Socket, Buffer]));
    return super.emit(event, ...args);
  }

  private request(request: IncomingMessage, response: ServerResponse): boolean {
    // A closing connection accepts no more requests (RFC 9112 section 9.6).
    if (request.socket.writableEnded) return Boolean(request.destroy());
    if (request.method !== 'TRACE' && !declaresTooMuch(request))
      return super.emit('request', request, response);
    this.express(request, response);
    return true;
  }

  private upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean {
    if (!isWebSocket(request)) return serveWithoutUpgrade(this, request, socket, head);
    // ws accepts only this value.
    request.headers.upgrade = 'websocket';
    return super.emit('upgrade', request, socket, head);
  }
}
