import type { Request, RequestHandler } from 'express';
import helmet from 'helmet';
import type { IncomingMessage } from 'node:http';
import type { Settings } from '../../../env/settings.js';

const ONE_YEAR_SECONDS = 365 * 24 * 60 * 60;

type Edge = Pick<Settings, 'production' | 'publicUrl'>;

/** In production with what is only true behind HTTPS. */
export function securityHeaders(settings: Edge): RequestHandler[] {
  const { production } = settings;
  const common = {
    strictTransportSecurity: production && { maxAge: ONE_YEAR_SECONDS },
    xFrameOptions: { action: 'deny' },
  } as const;
  const strict = helmet({ ...common, contentSecurityPolicy: policy(settings) });
  const forDocs = helmet({ ...common, contentSecurityPolicy: policy(settings, SWAGGER_UI) });
  return [
    (request, response, next) => (isDocs(request.path) ? forDocs : strict)(request, response, next),
    neverStore,
  ];
}

/** Swagger UI's page has a `<style>` element, and its style sheet holds pictures. */
const SWAGGER_UI = { styleSrc: ["'self'", "'unsafe-inline'"], imgSrc: ["'self'", 'data:'] };

const isDocs = (path: string) => path === '/docs' || path.startsWith('/docs/');

function policy({ production, publicUrl }: Edge, relaxed: Record<string, string[]> = {}) {
  return {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      // Some browsers do not count a WebSocket to the same host as 'self'.
      connectSrc: ["'self'", socketOf('ws'), socketOf('wss'), ...socketsOf(publicUrl)],
      objectSrc: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      ...(production && { upgradeInsecureRequests: [] }),
      ...relaxed,
    },
  };
}

/** The Host header is the client's own word, so only what cannot be another directive is let in. */
const socketOf = (scheme: string) => (request: IncomingMessage) => {
  const { host = '' } = request as Request;
  return /^[\w.:[\]-]+$/.test(host) ? `${scheme}://${host}` : "'self'";
};

/** The Host header need not name it: proxies may write their own. */
const socketsOf = (publicUrl?: string) =>
  publicUrl ? [new URL(publicUrl).origin.replace(/^http/, 'ws')] : [];

/** Answers hold a person's words: neither a browser nor a proxy keeps them. Static files may say otherwise. */
const neverStore: RequestHandler = (_request, response, next) => {
  response.setHeader('Cache-Control', 'no-store');
  next();
};
