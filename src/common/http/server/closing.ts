import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { bodyTooLarge, declaresTooMuch } from '../middleware/body-limit.js';
import { ProblemError } from '../../errors/errors.js';
import { refuseRequest, refuseUpgrade } from './handshake.js';
import { responseInProgress } from './upgrades.js';

/** Time for a client that still sends to read the response. */
const LINGER_MS = 2_000;

/** Closes the connection after the response if the rest of the body is unwanted, instead of reading it. */
export function closeIfBodyUnread(request: IncomingMessage, response: ServerResponse): void {
  const isBounded = request.headers['transfer-encoding'] === undefined && !declaresTooMuch(request);
  if (request.complete || isBounded) return;
  response.setHeader('Connection', 'close');
  lingerAfterResponse(request.socket);
  request.resume();
}

/** Node closes at once; closing with unread bytes resets the connection, and the client may lose the response. */
function lingerAfterResponse(socket: Socket): void {
  socket.destroySoon = () => linger(socket.end());
}

/** Answers requests that are malformed, too large or too slow with a problem. */
export function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writableEnded) return;
  const answer = responseInProgress(socket);
  if (!socket.writable || error.code === 'ECONNRESET' || answer?.headersSent) return void socket.destroy();
  const problem = problemOf(error);
  if (answer && !answer.req.complete) {
    lingerAfterResponse(socket);
    return refuseRequest(answer, problem, 'Unreadable request');
  }
  refuseUpgrade(socket, problem, 'Unreadable request');
  linger(socket);
}

function problemOf({ code, reason }: NodeJS.ErrnoException & { reason?: string }): ProblemError {
  if (reason === 'Content-Length overflow') return bodyTooLarge();
  if (code === 'HPE_HEADER_OVERFLOW')
    return new ProblemError(431, 'bad_request', 'The headers are too large.');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new ProblemError(408, 'bad_request', 'The request took too long.');
  return new ProblemError(400, 'bad_request', 'The request is not HTTP/1.1.');
}

/** Keeps reading for a while after the writing side has ended (RFC 9112 section 9.6). */
function linger(socket: Socket): void {
  const deadline = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(deadline));
}
