import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { originError } from './origin.js';
import { parseRedisUrl } from './redis-url.js';
import { checkedList, parseUrl, rule } from './rule.js';

/** The URL stays as written. */
export const httpUrl = rule('must be http(s)://host[:port][/path]', (text) =>
  parseUrl(text, ['http:', 'https:']) ? text : undefined,
);

export const databaseUrl = rule(
  'must be sqlite:<path>, sqlite::memory:, mysql://user:password@host:port/database[?ssl=true] or mariadb://…',
  (text) => {
    if (text.startsWith('sqlite:')) return text.length > 'sqlite:'.length ? text : undefined;
    const url = parseUrl(text, ['mysql:', 'mariadb:']);
    // Other parameters are refused, because they would be ignored, even those meant to enable TLS.
    return url && /^\/[^/]+$/.test(url.pathname) && /^(\?ssl=true)?$/.test(url.search) ? text : undefined;
  },
);

export const redisUrl = rule(
  'must be redis://host:port, redis+sentinel://host:port,…/primary[/database] or redis+cluster://host:port,…, or with rediss',
  (text) => parseRedisUrl(text) && text,
);

export const origins = checkedList(originError);

/** Returned without a trailing slash. */
export const filesUrl = rule(
  'must be file:<folder> or s3://bucket[/prefix][?region=…&endpoint=http(s)://…]',
  (text) => (isFolderUrl(text) || isBucketUrl(text) ? text : undefined),
);

const isFolderUrl = (text: string) => /^file:(?!\/\/[^/])./.test(text);

function isBucketUrl(text: string): boolean {
  const url = parseUrl(text, ['s3:']);
  if (!url || url.username || url.password || url.port || url.hash) return false;
  if ([...url.searchParams.keys()].some((name) => name !== 'region' && name !== 'endpoint')) return false;
  const endpoint = url.searchParams.get('endpoint');
  return endpoint === null || parseUrl(endpoint, ['http:', 'https:']) !== undefined;
}

export const publicUrl = rule(
  'must be http(s)://host[:port][/path], without credentials, query or fragment',
  (text) => {
    const url = parseUrl(text, ['http:', 'https:']);
    if (!url || !/^https?:\/\/[^/\\@]+(\/|$)/i.test(text) || /[?#*,\s]/.test(text)) return undefined;
    return (url.origin + url.pathname).replace(/\/+$/, '');
  },
);

export const smtpUrl = rule('must be smtp(s)://[user:password@]host[:port], without a query', (text) => {
  const url = parseUrl(text, ['smtp:', 'smtps:']);
  return url && !url.search && !url.hash && ['', '/'].includes(url.pathname) ? text : undefined;
});

/** In production, http is for hosts of the internal network. */
export const webhookUrl = (production: boolean) =>
  rule(
    `must be https://host[:port][/path][?query]${production ? ', or http for an internal host' : ' or http'}, without credentials or fragment`,
    (text) => {
      const url = parseUrl(text, ['http:', 'https:']);
      if (!url || !/^https?:\/\/[^/\\@]+(\/|\?|$)/i.test(text) || /[#\s]/.test(text)) return undefined;
      return production && url.protocol === 'http:' && !isInternalHost(url.hostname) ? undefined : url.href;
    },
  );

/** An address outside the Internet, or a name that public DNS does not resolve. */
function isInternalHost(hostname: string): boolean {
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address)) return ipaddr.process(address).range() !== 'unicast';
  return !hostname.includes('.') || /\.(internal|local|localhost|lan|svc)$/.test(hostname);
}
