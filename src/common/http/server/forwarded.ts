import type { Request } from 'express';
import ipaddr from 'ipaddr.js';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';

type Trust = (address: string | undefined, hop: number) => boolean;

/** Traefik sends `ws` and `wss` for WebSocket handshakes. */
const SCHEMES = new Map([
  ['http', 'http'],
  ['ws', 'http'],
  ['https', 'https'],
  ['wss', 'https'],
]);
const DEFAULT_PORT: Record<string, RegExp> = { http: /:80$/, https: /:443$/ };

/** Replaces Express's getters `ip`, `protocol` and `host`, which do not validate `X-Forwarded-*`. */
export function readForwarded(prototype: object): void {
  Object.defineProperties(prototype, {
    ip: { configurable: true, get: clientAddress },
    protocol: { configurable: true, get: scheme },
    host: { configurable: true, get: host },
  });
}

/** The nearest address that is not a trusted proxy's; the peer's if the header names none. */
function clientAddress(this: Request): string | undefined {
  const trust = this.app.get('trust proxy fn') as Trust;
  const peer = addressIn(this.socket.remoteAddress ?? '');
  const hops = items(this.headers['x-forwarded-for']);
  let address = peer;
  for (let hop = 0; address !== undefined && hops.length > 0 && trust(address, hop); hop++) {
    address = addressIn(hops.pop()!);
  }
  return address ?? peer;
}

function scheme(this: Request): string {
  const own = (this.socket as TLSSocket).encrypted ? 'https' : 'http';
  const [claimed = ''] = claims(this, 'x-forwarded-proto');
  return SCHEMES.get(claimed.toLowerCase()) ?? own;
}

/** Lower case, without the scheme's default port, like a browser's origin. */
function host(this: Request): string | undefined {
  const [claimed = this.headers.host] = claims(this, 'x-forwarded-host');
  return claimed?.toLowerCase().replace(DEFAULT_PORT[this.protocol] ?? '', '') || undefined;
}

function claims(request: Request, header: string): string[] {
  const trust = request.app.get('trust proxy fn') as Trust;
  return trust(addressIn(request.socket.remoteAddress ?? ''), 0) ? items(request.headers[header]) : [];
}

/** Skips empty elements (RFC 9110 section 5.6.1). */
function items(header: string | string[] = ''): string[] {
  const texts = String(header).split(',');
  return texts.map((text) => text.trim().replace(/^"(.*)"$/, '$1')).filter((text) => text !== '');
}

/** Normalizes an address: no port, brackets or zone. */
function addressIn(text: string): string | undefined {
  const [, bracketed] = /^\[([^\]]*)\](?::[\w.-]*)?$/.exec(text) ?? [];
  const address = bracketed ?? (isIP(text) ? text : text.replace(/:[\w.-]*$/, ''));
  const unzoned = address.replace(/%.*$/, '');
  if (isIP(unzoned) === 6) return ipaddr.process(unzoned).toString();
  return isIP(unzoned) ? unzoned : undefined;
}
