import { readFinishReason } from './finish-reason.js';

/** What there is to read in a chunk of a stream, or in a whole completion. Nothing of it can be relied on. */
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
  /** It is a whole message rather than a piece of one. */
  isMessage: boolean;
}

interface TextParts {
  content: string;
  reasoning: string;
}

const EMPTY: TextParts = { content: '', reasoning: '' };
/** Content parts nest at most this deep: OpenAI's and Mistral's do so once. */
const MAX_DEPTH = 4;
const REASONING_TYPE = /think|thought|reason/i;
const SUCCESS = /^(?:0*|200|20000|ok|success)$/i;

/** A lone choice whatever its index, as some providers count it up; of several the one with index 0. */
export function choiceOf({ choices }: ProviderChunk): Record<string, unknown> | undefined {
  if (!Array.isArray(choices)) return undefined;
  const isFirst = (each: unknown) => isObject(each) && Number(each.index ?? 0) === 0;
  const first: unknown = (choices.length > 1 && choices.find(isFirst)) || choices[0];
  return isObject(first) ? first : undefined;
}

/** What a choice says; other providers' ways to say the same are understood. */
export function readChoice(choice: Record<string, unknown>): ProviderDelta {
  const reason = choice.finish_reason ?? choice.finishReason;
  const finishReason = readFinishReason(isObject(reason) ? reason.type : reason); // SGLang's may be an object
  const delta = readMessage(choice.delta);
  const isSilent = delta.content === '' && delta.reasoning === '';
  const isMessage = isSilent && choice.message !== undefined;
  const { content, reasoning } = isSilent ? readMessage(isMessage ? choice.message : whole(choice)) : delta;
  return { content, reasoning, finishReason, isMessage };
}

/** Legacy completions have their text in the choice itself. */
function whole(choice: Record<string, unknown>): unknown {
  return choice.text === undefined ? undefined : choice;
}

export function requestsTool(choice: Record<string, unknown>): boolean {
  const said = choice.delta ?? choice.message;
  return isObject(said) && Boolean(said.tool_calls ?? said.function_call);
}

/** The part of a chunk, or of a whole answer, that says what went wrong; undefined where it says nothing of the kind. */
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

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Errors without an `error` member: vLLM's, Alibaba's, Baidu's, MiniMax's. */
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

/** Some servers write the member in every chunk, with nothing in it. */
function isFilled(error: unknown): boolean {
  return !isObject(error) || Object.values(error).some(Boolean);
}

function readMessage(message: unknown): TextParts {
  if (typeof message === 'string') return { content: message, reasoning: '' };
  if (!isObject(message)) return EMPTY;
  const { content } = message;
  const said = typeof content === 'string' ? content : undefined;
  const parts = said === undefined ? readParts(content) : EMPTY;
  return {
    content: said || parts.content || textOf(message.text) || textOf(message.refusal),
    reasoning: reasoningIn(message) || parts.reasoning,
  };
}

/** Several names may carry the same words, so that the first one counts. */
function reasoningIn(message: Record<string, unknown>): string {
  return (
    textOf(message.reasoning_content) ||
    textOf(message.reasoning) ||
    textOf(message.reasoning_text) ||
    textOf(message.thinking) ||
    textOf(message.reasoning_details)
  );
}

/** Content as a list of parts, or as one part; those of type `thinking` or the like are reasoning. */
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

/** A string, or the text of a part or of a list of parts (`{type: 'text', text}`). */
function textOf(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value); // a proxy's, which took a token for one
  if (!isObject(value) || depth > MAX_DEPTH) return '';
  if (Array.isArray(value)) return value.map((part) => textOf(part, depth + 1)).join('');
  const { text, thinking, reasoning, summary, content, value: inner } = value;
  return textOf(text ?? thinking ?? reasoning ?? summary ?? content ?? inner, depth + 1);
}
