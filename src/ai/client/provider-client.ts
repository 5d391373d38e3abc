import { APIError, OpenAI } from 'openai';
import type { Dispatcher } from 'undici';
import { egressFetch, type EgressResponse } from '../egress/egress-fetch.js';
import { ModelProvider } from '../provider/provider.js';
import { ProviderError } from '../provider/provider.error.js';

/** What an HTTP header can carry (RFC 9110 section 5.5). fetch would show the key in its complaint about any other. */
const HEADER_VALUE = /^[\x20-\x7e\x80-\xff]*$/;

/** Azure takes keys in a header of its own; `Authorization` is for tokens there. Its sovereign clouds have other ends. */
const AZURE_HOST = /\.(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us|cn)\.?$/;

type BuildRequest = OpenAI['buildRequest'];

export interface ProviderCall {
  /** Below the provider's URL; `/models`, say. */
  path: string;
  signal: AbortSignal;
  /** It is posted, as JSON. */
  body?: object;
}

/**
 * openai's client, one for all providers: making one takes as long as asking. It is cut off from its surroundings, with
 * no environment, retries, redirects, log, or time-out of its own.
 */
export class ProviderClient extends OpenAI {
  constructor(totalSeconds: number) {
    super({
      apiKey: 'none', // each call has its provider's
      maxRetries: 0,
      logLevel: 'off',
      // The caller's signal comes first; this keeps openai's own clock from ending a reply.
      timeout: (totalSeconds + 60) * 1000,
      fetch: egressFetch,
    });
  }

  /** @throws {ProviderError} `upstream_auth`; else what openai throws */
  send(provider: ModelProvider, dispatcher: Dispatcher, call: ProviderCall): Promise<EgressResponse> {
    const { path, signal, body } = call;
    // An object to the types: openai knows Node's own undici, whose dispatchers have other types.
    const fetchOptions: object = { dispatcher };
    const options = { signal, body, headers: headersFor(provider, call), fetchOptions };
    const url = urlOf(provider, path);
    const answer: unknown = (body ? this.post(url, options) : this.get(url, options)).asResponse();
    return answer as Promise<EgressResponse>;
  }

  /** With what `ask` names and nothing else: openai's headers tell of the machine, and may come from its environment. */
  override buildRequest({
    method,
    path,
    body,
    signal,
    headers,
    fetchOptions,
  }: Parameters<BuildRequest>[0]): ReturnType<BuildRequest> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const req = { method, body: text, signal, headers: headers as Headers, ...fetchOptions };
    return Promise.resolve({ req, url: path, timeout: this.timeout });
  }

  /** openai keeps what is in `error` alone; others write `{"detail": …}`, `[{"error": …}]` or `"Unauthorized"`. */
  protected override makeStatusError(
    status: number,
    body: unknown,
    text: string | undefined,
    headers: Headers,
  ): APIError {
    return super.makeStatusError(status, { error: body }, text, headers);
  }
}

/** The query of a base URL (`?api-version=…`) goes after the path of the call. */
function urlOf({ modelUrl }: ModelProvider, path: string): string {
  const url = new URL(modelUrl);
  url.pathname = url.pathname.replace(/\/$/, '') + path;
  return url.href;
}

function headersFor({ apiKey, modelUrl }: ModelProvider, { body }: ProviderCall): Headers {
  if (!HEADER_VALUE.test(apiKey)) {
    throw new ProviderError('upstream_auth', 'The API key has characters that cannot be sent.');
  }
  const headers = new Headers({
    Accept: 'application/json',
    'Accept-Encoding': 'identity',
    'User-Agent': 'Parley',
  });
  if (body) headers.set('Content-Type', 'application/json');
  if (!apiKey) return headers;
  headers.set('Authorization', `Bearer ${apiKey}`);
  if (AZURE_HOST.test(new URL(modelUrl).hostname)) headers.set('api-key', apiKey);
  return headers;
}
