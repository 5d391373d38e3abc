import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Whether `Upgrade`, a list of protocols, offers the one that is spoken here. Its handshake is a GET (RFC 6455 section 4.1). */
export function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && /(^|,)\s*websocket\s*(,|$)/i.test(headers.upgrade ?? '');
}

/**
 * Serves a request whose `Upgrade` is ignored (RFC 9110 section 7.8). Node has stopped to read the connection as HTTP: it
 * gets the request again, without that header. Its `shouldUpgradeCallback` is not in Node 20, and loses what is pipelined
 * behind the request in 24.21.
 */
export function serveWithoutUpgrade(
  server: Server,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): boolean {
  socket.on('error', ignore);
  onceAnswered(socket, () => {
    if (socket.destroyed) return;
    socket.off('error', ignore);
    // The server will not clear what it set while the connection was idle.
    socket.setTimeout(0);
    socket.unshift(Buffer.concat([headOf(request), head]));
    server.emit('connection', socket);
  });
  return true;
}

/** Calls back once earlier requests of the connection are answered: answers have to leave in their order. */
function onceAnswered(socket: Socket, callback: () => void): void {
  const { _httpMessage: answer } = socket as { _httpMessage?: ServerResponse };
  if (answer) answer.once('close', () => onceAnswered(socket, callback));
  else callback();
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

const ignore = () => undefined;
