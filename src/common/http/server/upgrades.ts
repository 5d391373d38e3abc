import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Whether the `Upgrade` header offers WebSocket, in a GET request (RFC 6455 section 4.1). */
export function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && /(^|,)\s*websocket\s*(,|$)/i.test(headers.upgrade ?? '');
}

/**
 * Serves a request and ignores its `Upgrade` (RFC 9110 section 7.8). Node stops parsing the connection as HTTP, so the
 * request is emitted again without that header. `shouldUpgradeCallback` is missing in Node 20, and loses pipelined
 * requests in 24.21.
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
    // Clears the server's idle timeout.
    socket.setTimeout(0);
    socket.unshift(Buffer.concat([headOf(request), head]));
    server.emit('connection', socket);
  });
  return true;
}

/** Waits for the responses to earlier requests of the connection, because HTTP/1.1 responds in order. */
function onceAnswered(socket: Socket, callback: () => void): void {
  const answer = responseInProgress(socket);
  if (answer) answer.once('close', () => onceAnswered(socket, callback));
  else callback();
}

/** Node's private reference to the response that the connection sends now. */
export function responseInProgress(socket: Socket): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

const ignore = () => undefined;
