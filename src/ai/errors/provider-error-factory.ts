import { APIError } from 'openai/core/error';
import { parseRetryAfter } from '../../common/http/retry-after.js';
import { paramsIn, sentenceIn } from './error-body.js';
import { codeOf, statusIn } from './error-class.js';
import { isObject } from '../provider/provider.chunk.js';
import { ProviderError, ProviderErrorCode, type ProviderErrorOptions } from '../provider/provider.error.js';
import type { ModelProvider } from '../provider/provider.js';
import { maskSecrets } from './secrets.js';

/** After a longer wait a request is not retried; the error names the wait instead. */
export const MAX_WAIT_SECONDS = 10;
const MAX_DETAIL_LENGTH = 500;
/** Shorter paths, such as `/v1` and `/api/v1`, are not masked. */
const MIN_MASKED_LENGTH = 9;
/** openai's message for an error without a body. */
const NO_BODY = 'status code (no body)';
/** Longer messages are cut before they are searched for secrets. */
const MAX_SOURCE_LENGTH = 4_000;
/**
 * One sentence for refused addresses, closed or filtered ports, and unknown names, so that the network cannot be
 * scanned with it.
 */
const UNREACHABLE = "The model's address is not allowed or could not be reached.";
const CONNECTION_BROKE = 'The connection to the provider broke.';
/**
 * undici's codes for a connection that carried something other than valid HTTP: garbage, huge headers, a short body.
 */
const BROKEN_PROTOCOL = /^(HTTPParserError$|HPE_|UND_ERR_HEADERS_OVERFLOW$|UND_ERR_RES_)/;
/** undici's code for a connection that the provider closed. */
const CONNECTION_CLOSED = 'UND_ERR_SOCKET';
/**
 * Converts errors of one provider to ProviderErrors that may be shown to the user. Masks its key, and its URL if users
 * must not see it.
 */
export class ProviderErrorFactory {
  private readonly secrets: string[];

  constructor(provider: Pick<ModelProvider, 'apiKey' | 'modelUrl' | 'hidesUrl'>) {
    this.secrets = [provider.apiKey, ...(provider.hidesUrl ? partsOfUrl(provider.modelUrl) : [])];
  }

  create(code: ProviderErrorCode, sentence: string): ProviderError {
    return new ProviderError(code, this.sanitize(sentence));
  }

  /** Converts an error thrown by the request or by its body. */
  from(error: unknown): ProviderError {
    if (error instanceof ProviderError) return error;
    if (error instanceof APIError && error.status !== undefined) return this.fromStatus(error, error.status);
    const code = firstCodeOf(error);
    if (BROKEN_PROTOCOL.test(code)) {
      return this.create('upstream_bad_response', 'The provider answered with something that is not HTTP.');
    }
    return new ProviderError('upstream_unreachable', UNREACHABLE, { cause: code });
  }

  /** Converts an error in the middle of a body: a network error, or an end by the provider. */
  fromBrokenBody(error: unknown): ProviderError {
    const code = firstCodeOf(error);
    if (/^E[A-Z]+$/.test(code)) return this.create('upstream_unreachable', CONNECTION_BROKE);
    return this.truncated({ retryable: code === CONNECTION_CLOSED });
  }

  truncated(options?: ProviderErrorOptions): ProviderError {
    return new ProviderError('upstream_bad_response', 'The provider ended the reply in the middle.', options);
  }

  /** Converts the error of an empty body, sent by proxies or by starting servers. */
  fromEmptyBody(error: unknown): ProviderError {
    const converted = this.from(error);
    if (converted.code === 'upstream_unreachable' || converted.code === 'upstream_timeout') return converted;
    return new ProviderError('upstream_bad_response', 'The provider answered with nothing.', {
      retryable: true,
    });
  }

  /** Converts the `error` member of an event or a whole response. */
  fromBody(body: unknown): ProviderError {
    const status = statusIn(body);
    return this.fromSentence(body, sentenceIn(body) ?? 'The provider ended the reply with an error.', {
      status,
    });
  }

  private fromStatus({ error: body, message, headers }: APIError, status: number): ProviderError {
    if (status >= 300 && status < 400) {
      return this.create(
        'upstream_bad_response',
        'The provider answered with a redirect, which is not followed.',
      );
    }
    const text = body === undefined ? message.slice(`${status} `.length) : undefined;
    const found = sentenceIn(body) ?? (text === NO_BODY ? undefined : sentenceIn(text));
    const sentence = found ?? `The provider answered with status ${status}.`;
    return this.fromSentence(body, sentence, { status, retryAfterSeconds: retryAfterOf(headers) });
  }

  private fromSentence(body: unknown, sentence: string, options: ProviderErrorOptions): ProviderError {
    const fullText = this.mask([...paramsIn(body), sentence].join('\n'));
    const hint = retryHint(options.retryAfterSeconds);
    const detail = this.sanitize(sentence, MAX_DETAIL_LENGTH - hint.length);
    const ended = hint && !/[.!?。！？]$/.test(detail) ? `${detail}.` : detail;
    return new ProviderError(codeOf(options.status, body), ended + hint, { ...options, fullText });
  }

  private sanitize(sentence: string, maxLength = MAX_DETAIL_LENGTH): string {
    const line = this.mask(sentence)
      .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ')
      .trim();
    return line.length > maxLength ? `${line.slice(0, maxLength - 2).toWellFormed()}…` : line;
  }

  private mask(text: string): string {
    return maskSecrets(text.slice(0, MAX_SOURCE_LENGTH).toWellFormed(), ...this.secrets);
  }
}

/** The host, and a path or query that identifies the provider. */
function partsOfUrl(modelUrl: string): string[] {
  const { hostname, pathname, search } = new URL(modelUrl);
  return [hostname, ...[pathname, search].filter((part) => part.length >= MIN_MASKED_LENGTH)];
}

/** Whether another attempt may succeed, for an error before the first token. */
export function isTransient({ code, status, retryable }: ProviderError, cause: unknown): boolean {
  if (code === 'upstream_rate_limited' || retryable) return true;
  if (status !== undefined) return status >= 500 || RETRYABLE_STATUSES.has(status);
  return (
    code === 'upstream_unreachable' && !causesOf(cause).some((each) => PERMANENT_CODES.has(codeIn(each)))
  );
}

/** Request Timeout, Conflict (a model that is loading) and Too Early. */
const RETRYABLE_STATUSES = new Set([408, 409, 425]);

/** Refused addresses fail like unknown names, so that timing does not distinguish them. */
const PERMANENT_CODES = new Set(['ENOTFOUND', 'ENODATA', 'EREFUSED']);

/** OpenAI and Azure send milliseconds as well, which are more precise. */
function retryAfterOf(headers: Headers | undefined): number | undefined {
  const precise = Number(headers?.get('retry-after-ms') ?? NaN);
  const ms = precise >= 0 ? precise : parseRetryAfter(headers?.get('retry-after'));
  return ms === undefined ? undefined : Math.ceil(ms / 1000);
}

/** Names a wait that is too long for a retry. */
function retryHint(seconds: number | undefined): string {
  if (seconds === undefined || seconds <= MAX_WAIT_SECONDS) return '';
  const minutes = seconds < 120 ? '' : ` (about ${Math.round(seconds / 60)} minutes)`;
  return ` Try again in ${seconds} seconds${minutes}.`;
}

function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (let each = error; isObject(each) && causes.length < 8; each = each.cause) causes.push(each);
  return causes;
}

/** The first code among an error and its causes, else a name: undici's parser has no code. */
function firstCodeOf(error: unknown): string {
  const causes = causesOf(error);
  return causes.map(codeIn).find(Boolean) ?? String((causes.at(-1) as Error | undefined)?.name);
}

function codeIn(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : '';
}
