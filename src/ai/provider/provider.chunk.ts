import { readFinishReason } from './finish-reason.js';

/** A chunk of a stream, or a whole completion. No member can be relied on. */
export interface ProviderChunk {
  error?: unknown;
  choices?: unknown;
  usage?: unknown;
  [member: string]: unknown;
}

export interface ProviderDelta {
  content: string;
  reasoning: string;
  finishReason?: string;
  /** Whether it is a whole message instead of a piece. */
  isMessage: boolean;
}

interface TextParts {
  content: string;
  reasoning: string;
}

const EMPTY: TextParts = { content: '', reasoning: '' };
/** Maximum nesting of content parts; OpenAI and Mistral nest once. */
const MAX_DEPTH = 4;
const REASONING_TYPE = /think|thought|reason/i;
/** Compared without conversion, which throws for `{"toString": null}`. */
const FIRST_INDEXES = new Set<unknown>([0, '0', null, undefined]);
const SUCCESS = /^(?:0*|200|20000|ok|success)$/i;

/** Picks a lone choice whatever its index, because some providers count it up, or the one with index 0. */
export function choiceOf({ choices }: ProviderChunk): Record<string, unknown> | undefined {
  if (!Array.isArray(choices)) return undefined;
  const isFirst = (each: unknown) => isObject(each) && FIRST_INDEXES.has(each.index);
  const first: unknown = (choices.length > 1 && choices.find(isFirst)) || choices[0];
  return isObject(first) ? first : undefined;
}

/** Reads a choice's text in the variants of other providers. */
export function readChoice(choice: Record<string, unknown>): ProviderDelta {
  const reason = choice.finish_reason ?? choice.finishReason;
  const finishReason = readFinishReason(isObject(reason) ? reason.type : reason); // SGLang's may be an object
  const delta = readMessage(choice.delta);
  const isSilent = delta.content === '' && delta.reasoning === '';
  const isMessage = isSilent && choice.message !== undefined;
  const { content, reasoning } = isSilent ? readMessage(isMessage ? choice.message : whole(choice)) : delta;
  return { content, reasoning, finishReason, isMessage };
}

/** Legacy completions have the text in the choice itself. */
function whole(choice: Record<string, unknown>): unknown {
  return choice.text === undefined ? undefined : choice;
}

export function requestsTool(choice: Record<string, unknown>): boolean {
  const message = choice.delta ?? choice.message;
  return isObject(message) && Boolean(message.tool_calls ?? message.function_call);
}

/**
 * Finds the error in a chunk or a whole response.
 * @returns the part with its message, or undefined
 */
export function readError(chunk: ProviderChunk): unknown {
  const { choices, x_groq: groq } = chunk;
  const error = chunk.error ?? (isObject(groq) ? groq.error : undefined);
  if (error && isFilled(error)) return isObject(error) ? error : chunk;
  if (Array.isArray(choices) && choices.length > 0) {
    const choiceError = choiceOf(chunk)?.error;
    return choiceError && isFilled(choiceError) ? choiceError : undefined;
  }
  return isBareError(chunk) ? chunk : undefined;
}

/** Parses an object or a list; undefined for anything else. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // callers read it as plain text
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Errors without an `error` member: vLLM, Alibaba, Baidu, MiniMax. */
function isBareError(chunk: ProviderChunk): boolean {
  const { object, type, code, error_code, errors, base_resp, success } = chunk;
  if (object === 'error' || type === 'error' || success === false) return true;
  if (isFailureCode(error_code) || (Array.isArray(errors) && errors.length > 0)) return true;
  if (isObject(base_resp) && isFailureCode(base_resp.status_code)) return true;
  return isFailureCode(code) && typeof (chunk.message ?? chunk.msg) === 'string';
}

function isFailureCode(code: unknown): boolean {
  return (typeof code === 'number' || typeof code === 'string') && !SUCCESS.test(String(code));
}

/** Some servers write an empty `error` in every chunk. */
function isFilled(error: unknown): boolean {
  return !isObject(error) || Object.values(error).some(Boolean);
}

function readMessage(message: unknown): TextParts {
  if (typeof message === 'string') return { content: message, reasoning: '' };
  if (!isObject(message)) return EMPTY;
  const { content } = message;
  const text = typeof content === 'string' ? content : undefined;
  const parts = text === undefined ? readParts(content) : EMPTY;
  return {
    content: text || parts.content || textOf(message.text) || textOf(message.refusal),
    reasoning: reasoningIn(message) || parts.reasoning,
  };
}

/** Takes the first name, because several may carry the same text. */
function reasoningIn(message: Record<string, unknown>): string {
  return (
    textOf(message.reasoning_content) ||
    textOf(message.reasoning) ||
    textOf(message.reasoning_text) ||
    textOf(message.thinking) ||
    textOf(message.reasoning_details)
  );
}

/** Reads content as one part or a list; parts of type `thinking` or similar are reasoning. */
function readParts(content: unknown): TextParts {
  if (!isObject(content)) return { content: textOf(content), reasoning: '' };
  const parts: unknown[] = Array.isArray(content) ? content : [content];
  const isReasoning = (part: unknown) =>
    isObject(part) && typeof part.type === 'string' && REASONING_TYPE.test(part.type);
  return {
    content: textOf(parts.filter((part) => !isReasoning(part))),
    reasoning: textOf(parts.filter(isReasoning)),
  };
}

/** Reads a string, a part (`{type: 'text', text}`) or a list of parts. */
function textOf(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value); // some proxies send a numeric token as a number
  if (!isObject(value) || depth > MAX_DEPTH) return '';
  if (Array.isArray(value)) return value.map((part) => textOf(part, depth + 1)).join('');
  const { text, thinking, reasoning, summary, content, value: inner } = value;
  return textOf(text ?? thinking ?? reasoning ?? summary ?? content ?? inner, depth + 1);
}
