import { toUSVString } from 'node:util';
import { APIError } from 'openai/core/error';
import { isObject } from './provider.chunk.js';
import { ProviderError, ProviderErrorCode } from './provider.error.js';
import { maskSecrets } from './secrets.js';

const MAX_DETAIL_LENGTH = 500;
/** How much of what a provider wrote is looked at. */
const MAX_READ_LENGTH = 4_000;
/**
 * One sentence for a refused address, a closed port, a filtered one and a name that nobody knows, so that
 * nobody can map the network around us by it.
 */
const UNREACHABLE = "The model's address is not allowed or could not be reached.";
const BROKEN = 'The connection to the provider broke.';
/** What undici says of a connection that was made and then misused: garbage, huge headers, a short body. */
const BROKEN_PROTOCOL = /^(HTTPParserError$|HPE_|UND_ERR_HEADERS_OVERFLOW$|UND_ERR_RES_)/;
/** OpenAI's, Azure's, Alibaba's, Zhipu's and DeepSeek's names for a prompt or an answer that was held back. */
const FILTERED =
  /content_?filter|content_policy|ResponsibleAIPolicyViolation|data_inspection_failed|sensitive/i;

/** Turns whatever goes wrong with one provider into a ProviderError that may be shown, its key masked. */
export class ProviderFaults {
  constructor(private readonly apiKey: string) {}

  make(code: ProviderErrorCode, sentence: string, retryAfterSeconds?: number): ProviderError {
    return new ProviderError(code, this.show(sentence), { retryAfterSeconds });
  }

  /** What was thrown while asking or reading. */
  of(error: unknown): ProviderError {
    if (error instanceof ProviderError) return error;
    if (error instanceof APIError && error.status !== undefined) return this.ofStatus(error, error.status);
    const failure = failureOf(error);
    if (BROKEN_PROTOCOL.test(failure)) {
      return this.make('upstream_bad_response', 'The provider answered with something that is not HTTP.');
    }
    return new ProviderError('upstream_unreachable', UNREACHABLE, { cause: failure });
  }

  /** The connection ended in the middle of the body: broken from below, or ended by the provider. */
  ofBreak(error: unknown): ProviderError {
    const failure = failureOf(error);
    return /^E[A-Z]+$/.test(failure) ? this.make('upstream_unreachable', BROKEN) : this.cut();
  }

  cut(): ProviderError {
    return this.make('upstream_bad_response', 'The provider ended the reply in the middle.');
  }

  /** The `error` member of an event, or of a whole answer. */
  ofBody(body: unknown): ProviderError {
    const sentence = sentenceOf(body) ?? 'The provider ended the reply with an error.';
    return this.make(isFiltered(body) ? 'content_filtered' : 'upstream_error', sentence);
  }

  private ofStatus(error: APIError, status: number): ProviderError {
    if (status >= 300 && status < 400) {
      return this.make(
        'upstream_bad_response',
        'The provider answered with a redirect, which is not followed.',
      );
    }
    const sentence =
      sentenceOf(error.error) ?? plainText(error) ?? `The provider answered with status ${status}.`;
    return this.make(codeOfStatus(status, error.error), sentence, retryAfterOf(error.headers));
  }

  private show(sentence: string): string {
    const masked = maskSecrets(toUSVString(sentence.slice(0, MAX_READ_LENGTH)), this.apiKey);
    const line = masked.replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
    return line.length > MAX_DETAIL_LENGTH ? `${toUSVString(line.slice(0, MAX_DETAIL_LENGTH - 1))}…` : line;
  }
}

/** Whether an error that came before the first token may be gone at the next try. */
export function isTransient(error: ProviderError, cause: unknown): boolean {
  if (error.code === 'upstream_rate_limited') return true;
  if (cause instanceof APIError && cause.status !== undefined) return cause.status >= 500;
  return (
    error.code === 'upstream_unreachable' && !causesOf(cause).some((each) => PERMANENT.has(codeOf(each)))
  );
}

/** As quick for an address that we refuse as for a name that does not exist. */
const PERMANENT = new Set(['ENOTFOUND', 'ENODATA', 'EREFUSED']);

function codeOfStatus(status: number, body: unknown): ProviderErrorCode {
  if (status === 401 || status === 403) return 'upstream_auth';
  if (status === 429) return 'upstream_rate_limited';
  return status < 500 && isFiltered(body) ? 'content_filtered' : 'upstream_error';
}

/** The provider's own words, in the shapes that providers use. */
function sentenceOf(body: unknown): string | undefined {
  if (typeof body === 'string') return body || undefined;
  if (!isObject(body)) return undefined;
  const { message, detail, error } = body;
  return sentenceOf(message) ?? sentenceOf(detail) ?? sentenceOf(error) ?? stringify(body);
}

function stringify(body: object): string | undefined {
  return Object.keys(body).length > 0 ? JSON.stringify(body) : undefined;
}

/** A body that is no JSON, unless it is a page for a browser. */
function plainText(error: APIError): string | undefined {
  const text = error.message.slice(`${error.status} `.length).trim();
  return error.error === undefined && !text.startsWith('<') && !text.startsWith('status code')
    ? text
    : undefined;
}

function isFiltered(body: unknown): boolean {
  if (!isObject(body)) return false;
  const { code, type, innererror } = body;
  return (
    [code, type].some((each) => typeof each === 'string' && FILTERED.test(each)) || isFiltered(innererror)
  );
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function retryAfterOf(headers: Headers | undefined): number | undefined {
  const value = headers?.get('retry-after');
  if (!value) return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}

function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (let each = error; isObject(each) && causes.length < 8; each = each.cause) causes.push(each);
  return causes;
}

/** The first code of an error and its causes; undici's parser sometimes has a name alone. */
function failureOf(error: unknown): string {
  const causes = causesOf(error);
  return causes.map(codeOf).find(Boolean) ?? String((causes.at(-1) as Error | undefined)?.name);
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : '';
}
