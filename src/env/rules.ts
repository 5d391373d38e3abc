/**
 * Parsers of single variables. Error messages never contain a variable's value, which may be a secret.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { originError } from './origin.js';
import { isPublished } from './published-secrets.js';

/** @returns the item's error, or null */
type Check = (item: string) => string | null;
export type SecretCheck = Check;

/** Node's timers fire immediately above 2^31 - 1 ms. */
const MAX_SECONDS = 2_147_483;
const MIN_JWT_SECRET_BYTES = 32;
const MIN_DIFFERENT_CHARACTERS = 10;
/** 32 bytes in canonical base64url with padding; the last digit carries four bits. */
const FERNET_KEY = /^[\w-]{42}[AEIMQUYcgkosw048]=$/;

/** @param parse returns undefined for invalid text */
function rule<T>(message: string, parse: (text: string) => T | undefined) {
  return z.string().transform((text, context) => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue(message);
    return z.NEVER;
  });
}

/** Parses a comma-separated list. @param parse returns undefined for an invalid item */
function list(message: string, parse: (item: string) => string | undefined) {
  return z.string().transform((text, context) =>
    splitList(text).map((item, index) => {
      const value = parse(item);
      if (value === undefined) context.addIssue(`item ${index + 1} ${message}`);
      return value ?? '';
    }),
  );
}

export const secrets = (check: SecretCheck) => checkedList(check, 'is required in production');

export const webhookSecrets = () => checkedList(checkWebhookSecret);

function checkedList(check: Check, messageIfAbsent?: string) {
  return z.string({ error: messageIfAbsent }).transform((text, context) => {
    const items = splitList(text);
    for (const [index, item] of items.entries()) {
      const error = check(item);
      if (error) context.addIssue(`item ${index + 1} ${error}`);
    }
    return items;
  });
}

function splitList(text: string): string[] {
  return text.split(',').map((item) => item.trim());
}

export const checkJwtSecret: SecretCheck = (secret) => {
  if (Buffer.byteLength(secret) < MIN_JWT_SECRET_BYTES)
    return `is shorter than ${MIN_JWT_SECRET_BYTES} bytes`;
  return checkVariety(secret) ?? checkUnpublished(secret);
};

export const checkEncryptionKey: SecretCheck = (key) => {
  if (!FERNET_KEY.test(key)) return 'is not a Fernet key (32 bytes in base64url with padding, 44 characters)';
  return checkUnpublished(key);
};

/** Outside production, keys of little variety are allowed for tests. */
export const checkProductionEncryptionKey: SecretCheck = (key) =>
  checkEncryptionKey(key) ?? checkVariety(key);

/** As the Standard Webhooks specification asks: base64 of 24 to 64 bytes after the prefix. */
export const checkWebhookSecret: SecretCheck = (secret) => {
  const [, digits = ''] = /^whsec_([\w+/=-]+)$/.exec(secret) ?? [];
  const key = Buffer.from(digits, 'base64');
  if (key.length < 24 || key.length > 64 || key.toString('base64') !== digits)
    return 'is not whsec_ followed by 24 to 64 bytes in base64';
  return checkVariety(digits) ?? checkUnpublished(secret);
};

function checkVariety(secret: string): string | null {
  if (new Set(secret).size >= MIN_DIFFERENT_CHARACTERS) return null;
  return `has fewer than ${MIN_DIFFERENT_CHARACTERS} different characters`;
}

function checkUnpublished(secret: string): string | null {
  return isPublished(secret) ? 'is printed in public documents: generate one of your own' : null;
}

export function oneOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: `must be one of ${values.join(', ')}` });
}

export const trueOrFalse = rule('must be true or false', (text) => {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  return undefined;
});

export const port = rule('must be a whole number from 0 to 65535', (text) => {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
});

/** The URL stays as written. */
export const httpUrl = rule('must be http(s)://host[:port][/path]', (text) =>
  parseUrl(text, ['http:', 'https:']) ? text : undefined,
);

/** More connections than MySQL's default `max_connections` leaves for others. */
export const poolSize = wholeNumber(1, 1000);

export const retentionDays = wholeNumber(1, 36_500);

/** In MiB. */
export const storageLimit = wholeNumber(1, 100_000_000);

export const nonNegativeNumber = rule('must be a number, 0 or more', parseDecimal);

export const seconds = rule(`must be a number of seconds, 0 to ${MAX_SECONDS}`, parseSeconds);

export const positiveSeconds = rule(
  `must be a number of seconds above 0, to ${MAX_SECONDS}`,
  (text) => parseSeconds(text) || undefined,
);

function wholeNumber(min: number, max: number) {
  return rule(`must be a whole number from ${min} to ${max}`, (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? value : undefined;
  });
}

function parseSeconds(text: string): number | undefined {
  const value = parseDecimal(text);
  return value !== undefined && value <= MAX_SECONDS ? value : undefined;
}

function parseDecimal(text: string): number | undefined {
  const value = Number(text);
  return /^\d+(\.\d+)?$/.test(text) && Number.isFinite(value) ? value : undefined;
}

export const host = rule('must be an address or a host name to listen on', (text) => {
  return isIP(text) || /^[a-z\d]([a-z\d.-]*[a-z\d])?$/i.test(text) ? text : undefined;
});

export const databaseUrl = rule(
  'must be sqlite:<path>, sqlite::memory:, mysql://user:password@host:port/database[?ssl=true] or mariadb://…',
  (text) => {
    if (text.startsWith('sqlite:')) return text.length > 'sqlite:'.length ? text : undefined;
    const url = parseUrl(text, ['mysql:', 'mariadb:']);
    // Other parameters are refused, because they would be ignored, even those meant to enable TLS.
    return url && /^\/[^/]+$/.test(url.pathname) && /^(\?ssl=true)?$/.test(url.search) ? text : undefined;
  },
);

export const redisUrl = rule('must be redis://host:port or rediss://host:port', (text) => {
  return parseUrl(text, ['redis:', 'rediss:']) && text;
});

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

/** `address` or `Name <address>`; a line break would add a header. */
export const mailSender = rule('must be an email address, or Name <address>', (text) =>
  /^([^<>\p{Control}]* <)?[^\s<>@,;]+@[^\s<>@,;]+>?$/u.test(text) && text.includes('<') === text.endsWith('>')
    ? text
    : undefined,
);

export const emails = list('is not an email address', (item) =>
  /^[^\s@]+@[^\s@]+$/u.test(item) ? item : undefined,
);

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

export interface OidcProvider {
  /** The `iss` of its ID tokens, exactly. */
  issuer: string;
  /** The `aud` of its ID tokens: the app's client id. */
  audience: string;
}

/** Validates OIDC_PROVIDERS, and names every invalid item. */
export const oidcProviders = (production: boolean) =>
  z.string().transform((text, context): OidcProvider[] => {
    const providers = parseJson(text);
    if (Array.isArray(providers)) {
      for (const [index, provider] of providers.entries())
        for (const error of providerErrors(provider, production))
          context.addIssue(`item ${index + 1} ${error}`);
      return providers as OidcProvider[];
    }
    context.addIssue('must be a JSON list: [{"issuer": "https://…", "audience": "…"}]');
    return z.NEVER;
  });

function providerErrors(provider: unknown, production: boolean): string[] {
  if (typeof provider !== 'object' || provider === null) return ['is not an object'];
  const { issuer, audience, ...others } = provider as Record<string, unknown>;
  return [
    ...(isIssuer(issuer, production) ? [] : ['has no issuer that is an https URL without query or fragment']),
    ...(isShortText(audience) ? [] : ['has no audience of 1 to 255 characters']),
    ...Object.keys(others).map((name) => `has an unknown field ${JSON.stringify(name.slice(0, 20))}`),
  ];
}

/** OpenID Connect Discovery 1.0 section 3; http is for development. */
function isIssuer(issuer: unknown, production: boolean): boolean {
  if (!isShortText(issuer)) return false;
  const url = parseUrl(issuer, production ? ['https:'] : ['https:', 'http:']);
  return url !== undefined && !/[?#\s]/.test(issuer) && !url.username && !url.password;
}

const isShortText = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= 255;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseUrl(text: string, protocols: readonly string[]): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.hostname && protocols.includes(url.protocol) ? url : undefined;
}

const NAMED_SUBNETS = ['loopback', 'linklocal', 'uniquelocal'];

export const trustedProxies = list(
  `is not an address, a subnet such as 10.0.0.0/8, or one of ${NAMED_SUBNETS.join(', ')}`,
  (item) => (NAMED_SUBNETS.includes(item) || isAddressOrSubnet(item) ? item : undefined),
);

/** Refuses /0, with which any client could claim any address. */
function isAddressOrSubnet(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128);
}

/** Returned as `URL.hostname` writes them (lower case, punycode, IPv6 in brackets), with the port if given. */
export const modelHosts = list('is not a host or host:port (IPv6 in brackets)', (item) => {
  const [, name = '', digits] = /^(\[[\da-f:.]+\]|[^\s:/?#@*%[\]\\]+)(?::(\d{1,5}))?$/i.exec(item) ?? [];
  const hostname = parseUrl(`http://${name}`, ['http:'])?.hostname;
  if (!hostname || digits === undefined) return hostname;
  const number = Number(digits);
  return number >= 1 && number <= 65_535 ? `${hostname}:${number}` : undefined;
});
