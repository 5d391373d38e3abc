import type { Request, RequestHandler } from 'express';
import helmet from 'helmet';
import type { IncomingMessage } from 'node:http';
import type { Settings } from '../../../env/settings.js';

const ONE_YEAR_SECONDS = 365 * 24 * 60 * 60;

type Edge = Pick<Settings, 'production' | 'publicUrl'>;

/** Security headers; in production also those for HTTPS. */
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

/** Swagger UI has a `<style>` element and inline images. */
const SWAGGER_UI = { styleSrc: ["'self'", "'unsafe-inline'"], imgSrc: ["'self'", 'data:'] };

const isDocs = (path: string) => path === '/docs' || path.startsWith('/docs/');

function policy({ production, publicUrl }: Edge, relaxed: Record<string, string[]> = {}) {
  return {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      // Some browsers exclude WebSockets to the same host from 'self'.
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

/** The client controls the Host header; other characters could add a directive. */
const socketOf = (scheme: string) => (request: IncomingMessage) => {
  const { host = '' } = request as Request;
  return /^[\w.:[\]-]+$/.test(host) ? `${scheme}://${host}` : "'self'";
};

/** Proxies may rewrite the Host header. */
const socketsOf = (publicUrl?: string) =>
  publicUrl ? [new URL(publicUrl).origin.replace(/^http/, 'ws')] : [];

/** Responses contain private data, so neither browsers nor proxies may store them. Static files override this. */
const neverStore: RequestHandler = (_request, response, next) => {
  response.setHeader('Cache-Control', 'no-store');
  next();
};
