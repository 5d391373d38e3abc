import { Logger } from '@nestjs/common';
import type { Express, Request } from 'express';
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { isOriginAllowed } from '../middleware/cors.js';
import type { EdgeWarnings } from '../edge-warnings.js';
import { ProblemError } from '../../errors/errors.js';
import { httpsRequired } from '../middleware/https.js';
import { toProblem } from '../../errors/problem.js';

const logger = new Logger('Sockets');

/**
 * Why a socket's handshake is refused, if it is: as for HTTP requests, production requires HTTPS, and an Origin, which
 * browsers send, must be an allowed one. A native app sends none.
 */
export function handshakeError(
  request: IncomingMessage,
  express: Express,
  { production, corsOrigins }: { production: boolean; corsOrigins: readonly string[] },
  warnings: EdgeWarnings,
): ProblemError | undefined {
  const seen = expressView(request, express);
  warnings.check(seen);
  if (production && !seen.secure) {
    warnings.plainHttpRefused(seen);
    return httpsRequired();
  }
  const { origin } = request.headers;
  if (origin === undefined || isOriginAllowed(origin, seen, corsOrigins)) return undefined;
  warnings.originRefused(origin, seen);
  return new ProblemError(403, 'origin_forbidden', 'This origin is not allowed.');
}

/** Answers a request over HTTP, as far as that goes without Express, and ends the connection. */
export function refuseUpgrade(socket: Duplex, error: ProblemError, what = 'Handshake'): void {
  const { status, headers, body } = refusalOf(error, what);
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const statusLine = `HTTP/1.1 ${status} ${STATUS_CODES[status]}`;
  // The client may be gone already.
  socket.on('error', () => undefined);
  socket.end([statusLine, ...head, '', body].join('\r\n'));
}

/** Answers a request of long polling that would begin a connection. */
export function refuseRequest(response: ServerResponse, error: ProblemError): void {
  const { status, headers, body } = refusalOf(error, 'Handshake');
  response.writeHead(status, headers).end(body);
}

function refusalOf(error: ProblemError, what: string) {
  const requestId = randomUUID();
  logger.log({ request_id: requestId, status: error.getStatus(), code: error.code }, `${what} refused`);
  const body = JSON.stringify(toProblem(error, requestId));
  const { headers, retryAfterSeconds } = error.extras;
  return {
    status: error.getStatus(),
    headers: {
      Connection: 'close',
      'Content-Type': 'application/problem+json',
      'Content-Length': Buffer.byteLength(body),
      'X-Request-Id': requestId,
      ...(retryAfterSeconds !== undefined && { 'Retry-After': Math.ceil(retryAfterSeconds) }),
      ...headers,
    },
    body,
  };
}

/** The client's address: what a trusted proxy says, else the connection's. */
export function addressOf(request: IncomingMessage, express: Express): string {
  return expressView(request, express).ip ?? '';
}

/** An upgrade request does not pass through Express; this view of it answers `ip`, `secure`, `host` as its own do. */
function expressView({ headers, socket }: IncomingMessage, express: Express): Request {
  const view = Object.create(express.request) as Request;
  for (const [name, value] of Object.entries({ headers, socket, connection: socket })) {
    Object.defineProperty(view, name, { value });
  }
  return view;
}
