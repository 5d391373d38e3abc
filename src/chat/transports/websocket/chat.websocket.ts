import { Injectable, OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Express } from 'express';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ServerOptions, WebSocket } from 'ws';
import { Draining } from '../../../common/lifecycle/draining.js';
import { EdgeWarnings } from '../../../common/http/edge-warnings.js';
import { handshakeError, refuseUpgrade } from '../../../common/http/server/handshake.js';
import { Settings } from '../../../env/settings.js';
import { ProblemError } from '../../../common/errors/errors.js';
import { SafePongServer } from '../shared/safe-pong-server.js';
import { MAX_FRAME_BYTES } from '../shared/socket-limits.js';
import { CLOSE_CODES } from './websocket-client.js';
import { isBearer, WebSocketClients } from './websocket-clients.js';

const PATH = /^\/conversations\/ws\/([^/?]+)$/;

/** RFC 6455, section 7.4.1. */
const MESSAGE_TOO_BIG = 1009;

/** `closeTimeout` is missing in the types of ws. */
const OPTIONS: ServerOptions & { closeTimeout: number } = {
  noServer: true,
  perMessageDeflate: false,
  maxPayload: MAX_FRAME_BYTES,
  // Terminates a client that does not answer a close frame.
  closeTimeout: 1000,
  // Echoed as the client wrote it: browsers refuse any other spelling.
  handleProtocols: (protocols) => [...protocols].find(isBearer) ?? false,
};

/** Accepts WebSockets on `/conversations/ws/{id}`, for clients without Socket.IO. */
@Injectable()
export class ChatWebSocket implements OnApplicationBootstrap {
  private readonly server = new SafePongServer(OPTIONS);

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly settings: Settings,
    private readonly clients: WebSocketClients,
    private readonly warnings: EdgeWarnings,
    private readonly draining: Draining,
  ) {}

  onApplicationBootstrap(): void {
    const http = this.host.httpAdapter.getHttpServer() as Server;
    http.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
  }

  private upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Not parsed as a URL: the client may send anything.
    const [pathname = ''] = (incoming.url ?? '').split('?');
    // Handled by Socket.IO's own listener.
    if (pathname.startsWith('/socket.io/')) return;
    const id = PATH.exec(pathname)?.[1];
    const refused = id
      ? this.check(incoming)
      : new ProblemError(404, 'not_found', 'There is nothing at this address.');
    if (refused) refuseUpgrade(socket, refused);
    else
      this.server.handleUpgrade(incoming, socket, head, (client) => {
        this.clients.add(closingAsAgreed(client), incoming, id!);
      });
  }

  private check(incoming: IncomingMessage): ProblemError | undefined {
    const express = this.host.httpAdapter.getInstance<Express>();
    return handshakeError(incoming, express, this.settings, this.warnings) ?? this.draining.refusal();
  }
}

/** Replaces ws' close code for a frame over `maxPayload`, 1009, by Parley's own. */
function closingAsAgreed(client: WebSocket): WebSocket {
  const close = client.close.bind(client);
  client.close = (code, reason) => close(code === MESSAGE_TOO_BIG ? CLOSE_CODES.tooLarge : code, reason);
  return client;
}
