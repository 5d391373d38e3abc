import { isObject, parseObject } from '../provider/provider.chunk.js';

/** Members that may hold the sentence, most specific first; the last ones hold names rather than sentences. */
const SENTENCE_MEMBERS = [
  ...[
    'message',
    'Message',
    'msg',
    'detail',
    'error_description',
    'error_msg',
    'error_message',
    'errorMessage',
  ],
  ...['error', 'errors', 'base_resp', 'status_msg', 'details', 'response', 'body', 'data'],
  ...['reason', 'description', 'title', 'type', 'code', 'status'],
];
/** Parts of the request in a validation error (FastAPI): `{loc: ['body', 'max_tokens'], msg}`. */
const REQUEST_PARTS = new Set<unknown>(['body', 'query']);
const MAX_DEPTH = 8;
const MAX_OBJECTS = 100;
const MAX_TEXT = 4_000;
const MAX_LISTED = 5;
/** The sentence in text that resembles JSON: truncated, or written by Python's repr(). */
const QUOTED_SENTENCE = /["'](?:message|msg|detail|error_msg)["']\s*:\s*(["'])((?:\\.|(?!\1).)+)/s;
const LOOKS_LIKE_JSON = /^(?:\{\s*["'}]|\[\s*[{\]])/;
/** An HTML page, but not text in brackets such as Alibaba's `<400> InternalError`. */
const PAGE = /^<(?:[a-z]|[!?/])/i;
/** Fields of an event stream before JSON. */
const EVENT_FIELDS = /(?:^|\s)(?:event:[^\n]*\n)?(?:data|error):\s*$|[\s:,-]+$/g;
const UNREADABLE = /[\0-\x08\x0e-\x1f\x7f-\x9f\ufffd]/g;

/**
 * Finds the human-readable sentence in an error's body, in the shapes that providers use. Never JSON, a page or binary.
 */
export function sentenceIn(value: unknown, depth = 0): string | undefined {
  if (typeof value === 'string') return sentenceInText(value, depth);
  if (!isObject(value) || depth > MAX_DEPTH) return undefined;
  return Array.isArray(value) ? sentenceInList(value, depth) : sentenceInMembers(value, depth);
}

/** All objects in an error's body, outer ones first. */
export function objectsIn(body: unknown): Record<string, unknown>[] {
  const found = isObject(body) ? [body] : [];
  for (let i = 0; i < found.length; i++) {
    const inner = Object.values(found[i]!).filter(isObject);
    found.push(...inner.slice(0, MAX_OBJECTS - found.length));
  }
  return found;
}

/** Parameters named by an error: `param` (OpenAI) and `loc` (FastAPI). */
export function paramsIn(body: unknown): string[] {
  return objectsIn(body).flatMap(({ param, loc }) => {
    return [param, fieldIn(loc)].filter((each): each is string => typeof each === 'string' && each !== '');
  });
}

/** Visits each member once, because bodies may be deep and wide. */
function sentenceInMembers(value: Record<string, unknown>, depth: number): string | undefined {
  const names = isObject(value.error) ? ['error', ...SENTENCE_MEMBERS] : SENTENCE_MEMBERS;
  for (const name of new Set(names)) {
    const sentence = sentenceIn(value[name], depth + 1);
    if (sentence) return withRaw(withField(sentence, value.loc), value.metadata, depth);
  }
  for (const name of Object.keys(value).slice(0, MAX_OBJECTS)) {
    const sentence = SENTENCE_MEMBERS.includes(name) ? undefined : sentenceIn(value[name], depth + 1);
    if (sentence?.includes(' ')) return sentence;
  }
  return undefined;
}

function sentenceInList(list: unknown[], depth: number): string | undefined {
  const sentences = list.slice(0, MAX_LISTED).map((each) => sentenceIn(each, depth + 1));
  return [...new Set(sentences.filter(Boolean))].join('; ') || undefined;
}

function withField(sentence: string, loc: unknown): string {
  const field = fieldIn(loc);
  return field ? `${field}: ${sentence}` : sentence;
}

/** Leaves out parts that are no names or indexes: converting `{"toString": null}` or a deep list to text throws. */
function fieldIn(loc: unknown): string | undefined {
  if (!Array.isArray(loc)) return undefined;
  const isName = (part: unknown) => typeof part === 'string' || typeof part === 'number';
  return loc.filter((part) => isName(part) && !REQUEST_PARTS.has(part)).join('.');
}

/** OpenRouter puts the provider's own message into `metadata.raw`. */
function withRaw(sentence: string, metadata: unknown, depth: number): string {
  const raw = isObject(metadata) ? sentenceIn(metadata.raw, depth + 1) : undefined;
  return raw && !sentence.includes(raw) ? `${sentence}: ${raw}` : sentence;
}

function sentenceInText(text: string, depth: number): string | undefined {
  const trimmed = text.slice(0, MAX_TEXT).trim();
  if (trimmed === '' || PAGE.test(trimmed) || isBinary(trimmed)) return undefined;
  const start = trimmed.search(/[{[]/);
  if (start < 0) return trimmed;
  const lead = trimmed.slice(0, start).replace(EVENT_FIELDS, '');
  const json = trimmed.slice(start);
  const inner = depth > MAX_DEPTH ? undefined : sentenceInJson(json, depth);
  if (inner) return lead ? `${lead}: ${inner}` : inner;
  return isJson(json) || LOOKS_LIKE_JSON.test(json) ? lead || undefined : trimmed;
}

/** Reads JSON within a text, or in its first line. */
function sentenceInJson(json: string, depth: number): string | undefined {
  const parsed = parseObject(json) ?? parseObject(json.split('\n', 1)[0]!);
  if (parsed !== undefined) return sentenceIn(parsed, depth + 1);
  return QUOTED_SENTENCE.exec(json)?.[2]?.replaceAll(/\\(["'])/g, '$1');
}

function isJson(text: string): boolean {
  return parseObject(text) !== undefined;
}

function isBinary(text: string): boolean {
  return (text.match(UNREADABLE)?.length ?? 0) > text.length / 20;
}
