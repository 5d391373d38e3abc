import { toUSVString } from 'node:util';
import { APIError } from 'openai/core/error';
import { paramsIn, sentenceIn } from './error-body.js';
import { codeOf, statusIn } from './error-class.js';
import { isObject } from '../provider/provider.chunk.js';
import { ProviderError, ProviderErrorCode, type ProviderErrorOptions } from '../provider/provider.error.js';
import { maskSecrets } from './secrets.js';

/** A provider that wants to be left alone for longer is not asked again; its user is told how long. */
export const MAX_WAIT_SECONDS = 10;
const MAX_DETAIL_LENGTH = 500;
/** openai's words for an error without any. */
const NO_BODY = 'status code (no body)';
/** How much of what a provider wrote is looked at. */
const MAX_SOURCE_LENGTH = 4_000;
/**
 * One sentence for a refused address, a closed port, a filtered one and a name that nobody knows, so that
 * nobody can map the network around us by it.
 */
const UNREACHABLE = "The model's address is not allowed or could not be reached.";
const CONNECTION_BROKE = 'The connection to the provider broke.';
/** What undici says of a connection that was made and then misused: garbage, huge headers, a short body. */
const BROKEN_PROTOCOL = /^(HTTPParserError$|HPE_|UND_ERR_HEADERS_OVERFLOW$|UND_ERR_RES_)/;
/** Turns whatever goes wrong with one provider into a ProviderError that may be shown, its key masked. */
export class ProviderErrorFactory {
  constructor(private readonly apiKey: string) {}

  create(code: ProviderErrorCode, sentence: string): ProviderError {
    return new ProviderError(code, this.sanitize(sentence));
  }

  /** What was thrown while asking or reading. */
  from(error: unknown): ProviderError {
    if (error instanceof ProviderError) return error;
    if (error instanceof APIError && error.status !== undefined) return this.fromStatus(error, error.status);
    const failure = firstCodeOf(error);
    if (BROKEN_PROTOCOL.test(failure)) {
      return this.create('upstream_bad_response', 'The provider answered with something that is not HTTP.');
    }
    return new ProviderError('upstream_unreachable', UNREACHABLE, { cause: failure });
  }

  /** The connection ended in the middle of the body: broken from below, or ended by the provider. */
  fromBrokenBody(error: unknown): ProviderError {
    const failure = firstCodeOf(error);
    return /^E[A-Z]+$/.test(failure)
      ? this.create('upstream_unreachable', CONNECTION_BROKE)
      : this.truncated();
  }

  truncated(): ProviderError {
    return this.create('upstream_bad_response', 'The provider ended the reply in the middle.');
  }

  /** A body without a byte, which is a proxy's or a starting server's. */
  fromEmptyBody(error: unknown): ProviderError {
    const fault = this.from(error);
    if (fault.code === 'upstream_unreachable' || fault.code === 'upstream_timeout') return fault;
    return new ProviderError('upstream_bad_response', 'The provider answered with nothing.', {
      retryable: true,
    });
  }

  /** The `error` member of an event, or of a whole answer. */
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
    const said = sentenceIn(body) ?? (text === NO_BODY ? undefined : sentenceIn(text));
    const sentence = said ?? `The provider answered with status ${status}.`;
    return this.fromSentence(body, sentence, { status, retryAfterSeconds: retryAfterOf(headers) });
  }

  private fromSentence(body: unknown, sentence: string, options: ProviderErrorOptions): ProviderError {
    const words = this.mask([...paramsIn(body), sentence].join('\n'));
    const wait = retryHint(options.retryAfterSeconds);
    const detail = this.sanitize(sentence, MAX_DETAIL_LENGTH - wait.length);
    const ended = wait && !/[.!?。！？]$/.test(detail) ? `${detail}.` : detail;
    return new ProviderError(codeOf(options.status, body), ended + wait, { ...options, fullText: words });
  }

  private sanitize(sentence: string, maxLength = MAX_DETAIL_LENGTH): string {
    const line = this.mask(sentence)
      .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ')
      .trim();
    return line.length > maxLength ? `${toUSVString(line.slice(0, maxLength - 2))}…` : line;
  }

  private mask(text: string): string {
    return maskSecrets(toUSVString(text.slice(0, MAX_SOURCE_LENGTH)), this.apiKey);
  }
}

/** Whether an error that came before the first token may be gone at the next try. */
export function isTransient({ code, status, retryable: isPassing }: ProviderError, cause: unknown): boolean {
  if (code === 'upstream_rate_limited' || isPassing) return true;
  if (status !== undefined) return status >= 500 || RETRYABLE_STATUSES.has(status);
  return (
    code === 'upstream_unreachable' && !causesOf(cause).some((each) => PERMANENT_CODES.has(codeIn(each)))
  );
}

/** Request Timeout, Conflict (a model that is being loaded) and Too Early. */
const RETRYABLE_STATUSES = new Set([408, 409, 425]);

/** As quick for an address that we refuse as for a name that does not exist. */
const PERMANENT_CODES = new Set(['ENOTFOUND', 'ENODATA', 'EREFUSED']);

/** RFC 9110 section 10.2.3: seconds, or a date. */
function retryAfterOf(headers: Headers | undefined): number | undefined {
  const milliseconds = Number(headers?.get('retry-after-ms') ?? NaN); // OpenAI's and Azure's, which is more exact
  if (milliseconds >= 0) return Math.ceil(milliseconds / 1000);
  const value = headers?.get('retry-after');
  if (!value) return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}

/** Told where the wait is too long to be waited out. */
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

/** The first code of an error and its causes; undici's parser sometimes has a name alone. */
function firstCodeOf(error: unknown): string {
  const causes = causesOf(error);
  return causes.map(codeIn).find(Boolean) ?? String((causes.at(-1) as Error | undefined)?.name);
}

function codeIn(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : '';
}
