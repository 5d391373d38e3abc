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
 * Checks a socket's handshake like an HTTP request: HTTPS in production, and an allowed Origin if one is sent. Native
 * apps send none.
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

/** Sends a raw HTTP response to an upgrade request and closes the connection. */
export function refuseUpgrade(socket: Duplex, error: ProblemError, what = 'Handshake'): void {
  const { status, headers, body } = refusalOf(error, what);
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const statusLine = `HTTP/1.1 ${status} ${STATUS_CODES[status]}`;
  // The client may have disconnected.
  socket.on('error', () => undefined);
  socket.end([statusLine, ...head, '', body].join('\r\n'));
}

/** Refuses a request before or instead of its handler's response, and closes the connection. */
export function refuseRequest(response: ServerResponse, error: ProblemError, what = 'Handshake'): void {
  const { status, headers, body } = refusalOf(error, what, response.getHeader('X-Request-Id'));
  response.writeHead(status, headers).end(body);
}

function refusalOf(error: ProblemError, what: string, requestId: unknown = randomUUID()) {
  logger.log({ request_id: requestId, status: error.getStatus(), code: error.code }, `${what} refused`);
  const body = JSON.stringify(toProblem(error, String(requestId)));
  const { headers, retryAfterSeconds } = error.extras;
  return {
    status: error.getStatus(),
    headers: {
      Connection: 'close',
      'Content-Type': 'application/problem+json',
      'Content-Length': Buffer.byteLength(body),
      'X-Request-Id': String(requestId),
      ...(retryAfterSeconds !== undefined && { 'Retry-After': Math.ceil(retryAfterSeconds) }),
      ...headers,
    },
    body,
  };
}

/** The client's address, from a trusted proxy or the connection. */
export function addressOf(request: IncomingMessage, express: Express): string {
  return expressView(request, express).ip ?? '';
}

/** An upgrade request bypasses Express; this view has Express's getters `ip`, `secure` and `host`. */
function expressView({ headers, socket }: IncomingMessage, express: Express): Request {
  const view = Object.create(express.request) as Request;
  for (const [name, value] of Object.entries({ headers, socket, connection: socket })) {
    Object.defineProperty(view, name, { value });
  }
  return view;
}
