import type { ProviderError } from '../provider/provider.error.js';
import type { PromptMessage } from '../provider/provider.js';

/** A request for a completion, before it is JSON. */
export type CompletionBody = Record<string, unknown> & { messages: PromptMessage[]; stream: boolean };

/** What a provider refused of a request: a part of it, a parameter by name, or something that it does not tell. */
export type Refused = 'usage' | 'stream' | 'system' | 'unknown' | { param: string };

/** Parameters that may be left out. Members of `extra_body` are not: they may say how a prompt is to be treated. */
const PARAMS = [
  'temperature',
  'top_p',
  'max_tokens',
  'max_completion_tokens',
  'frequency_penalty',
  'presence_penalty',
  'seed',
  'stop',
  'logit_bias',
  'reasoning_effort',
  'response_format',
  'verbosity',
];
/** Names that are words of any sentence too: they count where they stand alone, or are quoted. */
const WORDS = new Set(['seed', 'stop']);
/** Statuses with which a provider may refuse what it was sent, rather than who sent it or when. */
const REFUSALS = new Set([400, 403, 404, 405, 406, 413, 415, 422, 500, 501, 505]);
/** What is wrong with a value, whose parameter is known by its name. */
const ABOUT_VALUE =
  /too (?:large|big|high|long|many|small|low)|exceed|greater than|less than|at (?:most|least)|maximum|minimum|between|range|[<>≤≥]=? ?\d|上限|范围|超过|超出|大于|小于|取值|最大|最多/i;

const USAGE = /stream_?options|include_?usage/i;
const REFUSAL =
  /\bnot\b|n['’]t\b|cannot|unsupported|disabled|unknown|unrecogni[sz]ed|unexpected|invalid|extra|must|only|should|deprecated|不支持|无效|错误/i;
const STREAM_REFUSAL = new RegExp(
  [
    '^stream$',
    "\\bstream(?:ing|ed)?\\b.{0,60}?(?:(?:not|n['’]t)(?: be| been)? ?(?:support|allow|avail|enabl|permit|implement)|unsupported|unavailable|disabled|must be|不支持)",
    "(?:unsupported|not (?:yet )?(?:support|allow|permit)\\w*|n['’]t support|cannot|unable to|verified to|disable)\\W+(?:\\w+\\W+){0,3}?stream",
    '不支持.{0,10}(?:stream|流式)',
  ].join('|'),
  'im',
);
const SYSTEM_REFUSAL = new RegExp(
  [
    '\\b(?:system|developer)[\'"`]?[\\s:_-]*(?:role|message|prompt|instruction|角色)',
    'unexpected (?:message )?role',
    '\\brole\\b\\W+(?:\\w+\\W+){0,3}?(?:system|developer)\\b',
    '[\'"`](?:system|developer)[\'"`]',
    'roles? must alternate|must be user|even index',
    'only [\'"`]?user[\'"`]?(?:,| and| or| &|/) ?[\'"`]?assistant[\'"`]? (?:roles?|messages?)',
    'messages(?:\\.0|\\[0\\])\\.role',
  ].join('|'),
  'i',
);

/** Finds out what a refusal is about, by the `param` or the words of its error. Undefined where it is no refusal. */
export function refusedIn(error: ProviderError, body: CompletionBody): Refused | undefined {
  const { code, status, fullText: words } = error;
  if (body.stream_options && USAGE.test(words) && code !== 'upstream_rate_limited') return 'usage';
  const mayRefuse = code === 'upstream_error' || status === 403;
  if (!mayRefuse || !REFUSALS.has(status ?? 400)) return undefined;
  const isBadRequest = status === 400 || status === 422;
  if (isBadRequest || REFUSAL.test(words)) {
    if (body.messages[0]?.role === 'system' && SYSTEM_REFUSAL.test(words)) return 'system';
    const param = paramNamedIn(words, body);
    if (param) return { param };
    if (body.stream && STREAM_REFUSAL.test(words)) return 'stream';
  }
  return isBadRequest ? 'unknown' : undefined;
}

/** Whether a refusal is about the value of a parameter, rather than about its name. */
export function isAboutValue(words: string): boolean {
  return ABOUT_VALUE.test(words);
}

/** The parameter of the request that is mentioned first. */
function paramNamedIn(words: string, body: CompletionBody): string | undefined {
  const mentions = PARAMS.filter((name) => name in body)
    .map((name) => ({ name, at: words.search(mentionOf(name)) }))
    .filter(({ at }) => at >= 0);
  return mentions.sort((one, other) => one.at - other.at)[0]?.name;
}

/** Also in camel case, as gateways to other APIs write it. */
function mentionOf(name: string): RegExp {
  const camelCase = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  if (!WORDS.has(name)) return new RegExp(`(?<!\\w)(?:${name}|${camelCase})(?!\\w)`);
  return new RegExp(
    `^${name}(?=:|$)|['"\`]${name}['"\`]|(?:parameter|argument|field|property|option|supplied|support)s?:? ${name}(?!\\w)`,
    'm',
  );
}
