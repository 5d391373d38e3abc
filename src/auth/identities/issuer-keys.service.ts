import { Injectable } from '@nestjs/common';
import type { JWTVerifyGetKey } from 'jose';
import { EgressGuard } from '../../ai/egress/egress-guard.js';
import { Settings } from '../../env/settings.js';

const TIMEOUT_MS = 5000;
const MAX_BYTES = 1024 * 1024;
/** A `kid` that is not in the key set has it fetched again, at most this often. */
const COOLDOWN_MS = 30_000;

/** The issuer does not answer, or answers nonsense. */
export class IssuerUnavailableError extends Error {}

/** Fetches the keys of OpenID providers (OpenID Connect Discovery 1.0). Requests in parallel share a fetch. */
@Injectable()
export class IssuerKeys {
  private readonly keySets = new Map<string, Promise<JWTVerifyGetKey>>();

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
        this.keySets.delete(issuer);
        throw new IssuerUnavailableError(`Failed to fetch the keys: ${describe(error)}`);
      }
    };
  }

  private keySetOf(issuer: string): Promise<JWTVerifyGetKey> {
    const known = this.keySets.get(issuer);
    if (known) return known;
    const discovered = this.discover(issuer).catch((error: unknown) => {
      this.keySets.delete(issuer);
      throw new IssuerUnavailableError(`Discovery failed: ${describe(error)}`);
    });
    this.keySets.set(issuer, discovered);
    return discovered;
  }

  private async discover(issuer: string): Promise<JWTVerifyGetKey> {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const response = await this.fetch(url, AbortSignal.timeout(TIMEOUT_MS));
    if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
    const { issuer: named, jwks_uri } = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
    if (named !== issuer) throw new Error('the document names another issuer');
    const { createRemoteJWKSet, customFetch } = await import('jose');
    return createRemoteJWKSet(this.keysUrl(jwks_uri), {
      timeoutDuration: TIMEOUT_MS,
      cooldownDuration: COOLDOWN_MS,
      [customFetch]: (keysUrl: string, { signal }: { signal: AbortSignal }) => this.fetch(keysUrl, signal),
    });
  }

  private keysUrl(uri: unknown): URL {
    const url = new URL(String(uri));
    const isSecure = url.protocol === 'https:' || (!this.settings.production && url.protocol === 'http:');
    if (!isSecure) throw new Error('jwks_uri is not https');
    return url;
  }

  /** The operator chose the host, so private addresses are allowed. Redirects are not followed. */
  private async fetch(url: string, signal: AbortSignal): Promise<Response> {
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

/** Codes of jose's errors about the key that a token names, not about the key set. */
const KEY_ERRORS = ['ERR_JWKS_NO_MATCHING_KEY', 'ERR_JWKS_MULTIPLE_MATCHING_KEYS', 'ERR_JOSE_NOT_SUPPORTED'];

const isAboutKey = (error: unknown) => KEY_ERRORS.includes((error as { code?: string }).code ?? '');

const describe = (error: unknown) => (error instanceof Error ? error.message : String(error));
