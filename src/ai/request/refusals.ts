import { type ImagePart, imagesOf } from '../provider/prompt-content.js';
import type { ProviderError } from '../provider/provider.error.js';
import type { PromptMessage } from '../provider/provider.js';

/** The body of a completion request. */
export type CompletionBody = Record<string, unknown> & { messages: PromptMessage[]; stream: boolean };

/** The refused part of a request, or a parameter by name; `unknown` if the error does not say. */
export type Refused = 'usage' | 'stream' | 'system' | 'images' | 'unknown' | { param: string };

/** Parameters that may be dropped. Members of `extra_body` are kept: they may control how a prompt is handled. */
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
/** Names that are also common words: matched only alone or quoted. */
const COMMON_WORDS = new Set(['seed', 'stop']);
/** Statuses that may refuse the content of a request, rather than its sender or time. */
const REFUSALS = new Set([400, 403, 404, 405, 406, 413, 415, 422, 500, 501, 505]);
/** Complaints about a value; the parameter is found by its name. */
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

const IMAGES =
  /\bimages?\b|image_?url|\bvision\b|multi-?modal|content.{0,40}\b(?:a|be|expected|valid) string|图片|图像|视觉|多模态/i;

/** Finds the refused part by the `param` or the text of an error. Undefined if the error is no refusal. */
export function refusedIn(error: ProviderError, body: CompletionBody): Refused | undefined {
  const { code, status, fullText } = error;
  if (body.stream_options && USAGE.test(fullText) && code !== 'upstream_rate_limited') return 'usage';
  const mayRefuse = code === 'upstream_error' || status === 403;
  if (!mayRefuse || !REFUSALS.has(status ?? 400)) return undefined;
  if (imagesIn(body).length > 0 && IMAGES.test(fullText)) return 'images';
  const isBadRequest = status === 400 || status === 422;
  if (isBadRequest || REFUSAL.test(fullText)) {
    if (body.messages[0]?.role === 'system' && SYSTEM_REFUSAL.test(fullText)) return 'system';
    const param = paramNamedIn(fullText, body);
    if (param) return { param };
    if (body.stream && STREAM_REFUSAL.test(fullText)) return 'stream';
  }
  return isBadRequest ? 'unknown' : undefined;
}

export function imagesIn({ messages }: CompletionBody): ImagePart[] {
  return messages.flatMap(({ content }) => imagesOf(content));
}

/** Whether a refusal is about a parameter's value instead of its name. */
export function isAboutValue(text: string): boolean {
  return ABOUT_VALUE.test(text);
}

/** Finds the request's parameter that is mentioned first. */
function paramNamedIn(text: string, body: CompletionBody): string | undefined {
  const mentions = PARAMS.filter((name) => name in body)
    .map((name) => ({ name, at: text.search(mentionOf(name)) }))
    .filter(({ at }) => at >= 0);
  return mentions.sort((one, other) => one.at - other.at)[0]?.name;
}

/** Includes camel case, used by gateways to other APIs. */
function mentionOf(name: string): RegExp {
  const camelCase = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  if (!COMMON_WORDS.has(name)) return new RegExp(`(?<!\\w)(?:${name}|${camelCase})(?!\\w)`);
  return new RegExp(
    `^${name}(?=:|$)|['"\`]${name}['"\`]|(?:parameter|argument|field|property|option|supplied|support)s?:? ${name}(?!\\w)`,
    'm',
  );
}
