import { Injectable } from '@nestjs/common';
import type { createRemoteJWKSet, JWTVerifyGetKey } from 'jose';
import { EgressGuard } from '../../ai/egress/egress-guard.js';
import { Settings } from '../../env/settings.js';

const TIMEOUT_MS = 5000;
const MAX_BYTES = 1024 * 1024;
/** Minimum time between fetches of a key set for a `kid` that it lacks. */
const COOLDOWN_MS = 30_000;
/** Pause after a failed request to an issuer, sent to clients as Retry-After. */
const FAILURE_COOLDOWN_MS = 5000;

/** The issuer does not respond, or its response is invalid. */
export class IssuerUnavailableError extends Error {}

/** Fetches the keys of OpenID providers (OpenID Connect Discovery 1.0). Requests in parallel share a fetch. */
@Injectable()
export class IssuerKeys {
  private readonly keySets = new Map<string, Promise<KeySet>>();
  /** Times of the last failures. */
  private readonly failedAt = new Map<string, number>();

  constructor(
    private readonly settings: Settings,
    private readonly egress: EgressGuard,
  ) {}

  /**
   * Finds the key that a token names.
   * @throws {IssuerUnavailableError}
   * @throws {JOSEError} if the issuer has no such key
   */
  of(issuer: string): JWTVerifyGetKey {
    return async (header, token) => {
      const keySet = await this.keySetOf(issuer);
      try {
        return await keySet(header, token);
      } catch (error) {
        if (isAboutKey(error)) throw error;
        // The issuer may have moved its keys. Cached ones are used until they expire.
        if (!keySet.fresh) this.keySets.delete(issuer);
        throw this.toUnavailable(issuer, 'Failed to fetch the keys', error);
      }
    };
  }

  private keySetOf(issuer: string): Promise<KeySet> {
    const known = this.keySets.get(issuer);
    if (known) return known;
    const discovered = this.discover(issuer).catch((error: unknown) => {
      this.keySets.delete(issuer);
      throw this.toUnavailable(issuer, 'Discovery failed', error);
    });
    this.keySets.set(issuer, discovered);
    return discovered;
  }

  private async discover(issuer: string): Promise<KeySet> {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const response = await this.fetch(issuer, url, AbortSignal.timeout(TIMEOUT_MS));
    if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
    const { issuer: named, jwks_uri } = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
    if (named !== issuer) throw new Error('the document names another issuer');
    const { createRemoteJWKSet, customFetch } = await import('jose');
    return createRemoteJWKSet(this.keysUrl(jwks_uri), {
      timeoutDuration: TIMEOUT_MS,
      cooldownDuration: COOLDOWN_MS,
      [customFetch]: (keysUrl: string, { signal }: { signal: AbortSignal }) =>
        this.fetch(issuer, keysUrl, signal),
    });
  }

  private toUnavailable(issuer: string, what: string, error: unknown): IssuerUnavailableError {
    if (error instanceof IssuerUnavailableError) return error;
    this.failedAt.set(issuer, Date.now());
    return new IssuerUnavailableError(`${what}: ${describe(error)}`);
  }

  private keysUrl(uri: unknown): URL {
    const url = new URL(String(uri));
    const isSecure = url.protocol === 'https:' || (!this.settings.production && url.protocol === 'http:');
    if (!isSecure) throw new Error('jwks_uri is not https');
    return url;
  }

  /** The operator chose the host, so private addresses are allowed. Redirects are not followed. */
  private async fetch(issuer: string, url: string, signal: AbortSignal): Promise<Response> {
    if (Date.now() < (this.failedAt.get(issuer) ?? 0) + FAILURE_COOLDOWN_MS)
      throw new IssuerUnavailableError('The issuer has failed within the last 5 s');
    const { origin, pathname, search } = new URL(url);
    const dispatcher = await this.egress.dispatcher(true);
    const headers = { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'Parley' };
    const response = await dispatcher.request({
      origin,
      path: pathname + search,
      method: 'GET',
      headers,
      signal,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw new Error('the response is larger than 1 MiB');
      chunks.push(chunk);
    }
    const { statusCode: status } = response;
    return new Response(status === 200 ? Buffer.concat(chunks) : null, { status: Math.max(status, 200) });
  }
}

type KeySet = ReturnType<typeof createRemoteJWKSet>;

/** Codes of jose's errors about the key that a token names, not about the key set. */
const KEY_ERRORS = ['ERR_JWKS_NO_MATCHING_KEY', 'ERR_JWKS_MULTIPLE_MATCHING_KEYS', 'ERR_JOSE_NOT_SUPPORTED'];

const isAboutKey = (error: unknown) => KEY_ERRORS.includes((error as { code?: string }).code ?? '');

const describe = (error: unknown) => (error instanceof Error ? error.message : String(error));
