import { type Span, SpanKind } from '@opentelemetry/api';
import { APIError, OpenAI } from 'openai';
import type { Dispatcher } from 'undici';
import { injectTrace, traced } from '../../common/tracing/tracing.js';
import { egressFetch, type EgressResponse } from '../egress/egress-fetch.js';
import { ModelProvider } from '../provider/provider.js';
import { ProviderError } from '../provider/provider.error.js';

/** Characters allowed in a header (RFC 9110 section 5.5). The error of fetch for any other shows the key. */
const HEADER_VALUE = /^[\x20-\x7e\x80-\xff]*$/;

/** Azure reads API keys from the header `api-key`; `Authorization` is for tokens. Includes the sovereign clouds. */
const AZURE_HOST = /\.(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us|cn)\.?$/;

type BuildRequest = OpenAI['buildRequest'];

export interface ProviderCall {
  /** Relative to the provider's URL, such as `/models`. */
  path: string;
  signal: AbortSignal;
  /** Sent as JSON in a POST request; without a body the request is a GET. */
  body?: object;
}

/**
 * One openai client for all providers: creating one takes as long as a request. Ignores the environment, and does not
 * retry, follow redirects or log.
 */
export class ProviderClient extends OpenAI {
  constructor(totalSeconds: number) {
    super({
      apiKey: 'none', // each call sets its provider's
      maxRetries: 0,
      logLevel: 'off',
      // The caller's signal fires first.
      timeout: (totalSeconds + 60) * 1000,
      fetch: egressFetch,
    });
  }

  /** @throws {ProviderError} `upstream_auth`; other errors are openai's */
  send(provider: ModelProvider, dispatcher: Dispatcher, call: ProviderCall): Promise<EgressResponse> {
    const method = call.body ? 'POST' : 'GET';
    const attributes = {
      'http.request.method': method,
      'server.address': new URL(provider.modelUrl).hostname,
    };
    const work = (span: Span) => this.sendInSpan(provider, dispatcher, call, span);
    return traced(method, { kind: SpanKind.CLIENT, attributes }, work, requestErrorOf);
  }

  private async sendInSpan(
    provider: ModelProvider,
    dispatcher: Dispatcher,
    call: ProviderCall,
    span: Span,
  ): Promise<EgressResponse> {
    const { path, signal, body } = call;
    // openai's types expect the dispatcher of Node's own undici.
    const fetchOptions: object = { dispatcher };
    const options = { signal, body, headers: headersFor(provider, call), fetchOptions };
    const url = urlOf(provider, path);
    const answer: unknown = await (body ? this.post(url, options) : this.get(url, options)).asResponse();
    const response = answer as EgressResponse;
    span.setAttribute('http.response.status_code', response.status);
    return response;
  }

  /** Sends only the headers of `headersFor`: openai's own describe the machine, and may come from its environment. */
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

  /**
   * Keeps the whole body: openai keeps only `error`, but others write `{"detail": …}`, `[{"error": …}]` or
   * `"Unauthorized"`.
   */
  protected override makeStatusError(
    status: number,
    body: unknown,
    text: string | undefined,
    headers: Headers,
  ): APIError {
    return super.makeStatusError(status, { error: body }, text, headers);
  }
}

/** Keeps a query of the base URL (`?api-version=…`) behind the call's path. */
function urlOf({ modelUrl }: ModelProvider, path: string): string {
  const url = new URL(modelUrl);
  url.pathname = url.pathname.replace(/\/$/, '') + path;
  return url.href;
}

/** The status of a refusal, otherwise the error's class: codes and messages may be the provider's text. */
function requestErrorOf(error: unknown): string {
  if (error instanceof APIError && error.status) return String(error.status);
  return error instanceof Error ? error.constructor.name : 'Error';
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
  injectTrace(headers);
  if (body) headers.set('Content-Type', 'application/json');
  if (!apiKey) return headers;
  headers.set('Authorization', `Bearer ${apiKey}`);
  if (AZURE_HOST.test(new URL(modelUrl).hostname)) headers.set('api-key', apiKey);
  return headers;
}
