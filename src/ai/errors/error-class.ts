import { objectsIn } from './error-body.js';
import type { ProviderErrorCode } from '../provider/provider.error.js';

/** Error names of OpenAI, Azure, Alibaba and MiniMax for a filtered prompt or reply. */
const FILTERED =
  /content_?filter|content_policy|ResponsibleAIPolicyViolation|data_?inspection_?failed|sensitive/i;
/** DeepSeek reports it as a sentence. */
const FILTERED_SENTENCE = /^content exists risk/i;
/** Members with an error's class: HTTP status numbers, or words. */
const CODES = ['code', 'status', 'status_code', 'http_code', 'error_code', 'type', 'error'];
/** Words for an HTTP status, of OpenAI, Anthropic and Google. */
const STATUS_WORDS: [RegExp, number][] = [
  [
    /^(?:invalid_?api_?key|api_?key_?invalid|(?:invalid_?)?authentication(?:_?error)?|unauthenticated|unauthorized)$/i,
    401,
  ],
  [/^(?:permission_?(?:denied_?)?(?:error)?|forbidden|access_?denied)$/i, 403],
  [
    /rate[_ -]?limit|too_?many_?requests|resource_?exhausted|insufficient_quota|exceeded_\w{0,40}quota|throttling/i,
    429,
  ],
  [/overloaded|server_?error|internal(?:\w{0,40}error|_?$)|unavailable|bad_?gateway/i, 500],
];
/** MiniMax's codes in `base_resp.status_code`. */
const MINIMAX: Record<string, number> = { 1002: 429, 1004: 401, 1013: 500, 1039: 429, 2013: 400, 2049: 401 };

/** The HTTP status that corresponds to an error in a body with status 200, if known. */
export function statusIn(body: unknown): number | undefined {
  for (const object of objectsIn(body)) {
    for (const name of CODES) {
      const status = statusOf(object[name]);
      if (status) return status;
    }
  }
  return undefined;
}

export function codeOf(status: number | undefined, body: unknown): ProviderErrorCode {
  if (status === 401 || status === 403) return 'upstream_auth';
  if (status === 429) return 'upstream_rate_limited';
  return (status ?? 400) < 500 && isFiltered(body) ? 'content_filtered' : 'upstream_error';
}

function statusOf(code: unknown): number | undefined {
  if (typeof code !== 'number' && typeof code !== 'string') return undefined;
  const number = Number(code);
  if (number >= 400 && number <= 599) return number;
  if (Number.isFinite(number)) return MINIMAX[number];
  return STATUS_WORDS.find(([words]) => words.test(String(code)))?.[1];
}

function isFiltered(body: unknown): boolean {
  return objectsIn(body).some((object) => {
    const names = [object.code, object.type, object.status_msg].filter((each) => typeof each === 'string');
    // Zhipu has a member `contentFilter`.
    if ('contentFilter' in object || names.some((name) => FILTERED.test(name))) return true;
    return typeof object.message === 'string' && FILTERED_SENTENCE.test(object.message);
  });
}
