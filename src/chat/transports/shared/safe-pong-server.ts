import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';

/** No ping is answered while more than this is buffered. Bytes. */
const MAX_WAITING_FOR_PONG = 64 * 1024;

type Admitted = Parameters<WebSocketServer['handleUpgrade']>[3];

/**
 * Answers pings only while the client reads. ws buffers a pong for every ping, without a limit and before
 * authentication. RFC 6455, section 5.5.3, allows to answer only the most recent ping.
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
