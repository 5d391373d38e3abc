import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { finished } from 'node:stream';
import { refuseMalformed } from './closing.js';

/** Time limits of requests that may be slow: 20 MiB at 0.5 Mbit/s take 336 s. */
export const SLOW_BODY = { totalMs: 600_000, idleMs: 30_000 };

const slowSockets = new WeakSet<Socket>();

/**
 * Lets a request exceed the server's `requestTimeout` while its body arrives.
 * @param onRefused called once the request is refused as too slow
 */
export function allowSlowBody(request: IncomingMessage, onRefused: () => void): void {
  const { socket } = request;
  const refuse = () => {
    slowSockets.delete(socket);
    refuseMalformed(Object.assign(new Error(), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket);
    onRefused();
  };
  const total = setTimeout(refuse, SLOW_BODY.totalMs).unref();
  slowSockets.add(socket);
  request.setTimeout(SLOW_BODY.idleMs, refuse);
  finished(request, () => {
    clearTimeout(total);
    slowSockets.delete(socket);
    request.off('timeout', refuse).setTimeout(0);
  });
}

/** Listener of `clientError`. Node reports a slow request once and leaves its connection to this listener. */
export function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  const mayContinue = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && slowSockets.has(socket);
  if (!mayContinue) refuseMalformed(error, socket);
}
