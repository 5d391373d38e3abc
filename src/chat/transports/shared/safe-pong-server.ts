import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';

/** What may wait for a client that pings on and does not read. Bytes. */
const MAX_WAITING_FOR_PONG = 64 * 1024;

type Admitted = Parameters<WebSocketServer['handleUpgrade']>[3];

/**
 * ws, but that a ping is answered only where the answers before it were taken. ws answers every one, and keeps whatever
 * a client does not read: some hundred megabytes a second, of anybody who can connect. RFC 6455, section 5.5.3, lets
 * pings go unanswered where a later one is.
 */
export class SafePongServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, autoPong: false });
  }

  override handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, admitted: Admitted): void {
    super.handleUpgrade(request, socket, head, (client, ...rest) => {
      client.on('ping', answerPing);
      admitted(client, ...rest);
    });
  }
}

function answerPing(this: WebSocket, data: Buffer): void {
  if (this.readyState === this.OPEN && this.bufferedAmount < MAX_WAITING_FOR_PONG) this.pong(data);
}
