import type { Express, Request } from 'express';
import type { IncomingMessage } from 'node:http';
import { isOriginAllowed } from './cors.js';
import { ProblemError } from './errors.js';
import { httpsRequired } from './https.js';

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
