import type { Express, Request } from 'express';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { isOriginAllowed } from './cors.js';
import { ProblemError } from './errors.js';
import { httpsRequired } from './https.js';
import { toProblem } from './problem.js';

/**
 * Why a socket's handshake is refused, if it is: as for HTTP requests, production requires HTTPS, and an Origin, which
 * browsers send, must be an allowed one. A native app sends none.
 */
export function handshakeFault(
  request: IncomingMessage,
  express: Express,
  { production, corsOrigins }: { production: boolean; corsOrigins: readonly string[] },
): ProblemError | undefined {
  const seen = asExpressSees(request, express);
  if (production && !seen.secure) return httpsRequired();
  const { origin } = request.headers;
  if (origin === undefined || isOriginAllowed(origin, seen, corsOrigins)) return undefined;
  return new ProblemError(403, 'origin_forbidden', 'This origin is not allowed.');
}

/** Answers an upgrade request over HTTP, as far as that goes without Express, and ends the connection. */
export function refuseUpgrade(socket: Duplex, error: ProblemError): void {
  const body = JSON.stringify(toProblem(error));
  const head = [
    `HTTP/1.1 ${error.getStatus()} ${STATUS_CODES[error.getStatus()]}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  // The client may be gone already.
  socket.on('error', () => undefined);
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** The client's address: what a trusted proxy says, else the connection's. */
export function addressOf(request: IncomingMessage, express: Express): string {
  return asExpressSees(request, express).ip ?? '';
}

/** An upgrade request does not pass through Express; this view of it answers `ip`, `secure`, `host` as its own do. */
function asExpressSees({ headers, socket }: IncomingMessage, express: Express): Request {
  const view = Object.create(express.request) as Request;
  for (const [name, value] of Object.entries({ headers, socket, connection: socket })) {
    Object.defineProperty(view, name, { value });
  }
  return view;
}
