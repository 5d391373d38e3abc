import { z } from 'zod';
import { parseUrl } from './rule.js';

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
