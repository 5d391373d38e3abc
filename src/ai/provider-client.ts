import { APIError, OpenAI } from 'openai';
import type { Dispatcher } from 'undici';
import { outboundFetch } from './outbound-fetch.js';
import { ModelProvider } from './provider.js';
import { ProviderError } from './provider.error.js';

/** What an HTTP header can carry (RFC 9110 section 5.5). fetch would show the key in its complaint about any other. */
const HEADER_VALUE = /^[\x20-\x7e\x80-\xff]*$/;

/** openai's client, cut off from its surroundings: no environment, retries, redirects, log, or time-out of its own. */
export class ProviderClient extends OpenAI {
  constructor(provider: ModelProvider, dispatcher: Dispatcher, totalSeconds: number) {
    if (!HEADER_VALUE.test(provider.apiKey)) {
      throw new ProviderError('upstream_auth', 'The API key has characters that cannot be sent.');
    }
    super({
      baseURL: provider.modelUrl,
      apiKey: provider.apiKey || 'none',
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      maxRetries: 0,
      logLevel: 'off',
      // The caller's signal comes first; this keeps openai's own clock from ending a reply.
      timeout: (totalSeconds + 60) * 1000,
      // Named here, as OPENAI_CUSTOM_HEADERS could otherwise replace it.
      defaultHeaders: { Authorization: provider.apiKey ? `Bearer ${provider.apiKey}` : null },
      fetch: outboundFetch(dispatcher),
    });
  }

  /** openai looks for the words in `error` alone; others write `{"detail": …}` or `{"message": …}`. */
  protected override makeStatusError(
    status: number,
    body: object,
    text: string | undefined,
    headers: Headers,
  ): APIError {
    return super.makeStatusError(status, body && !('error' in body) ? { error: body } : body, text, headers);
  }
}
