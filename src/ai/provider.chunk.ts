import { toUSVString } from 'node:util';
import { TokenUsage } from './provider.js';

/** What there is to read in a chunk of a stream, or in a whole completion. Nothing of it can be relied on. */
export interface ProviderChunk {
  error?: unknown;
  choices?: unknown;
  usage?: unknown;
}

export interface ProviderDelta {
  content: string;
  reasoning: string;
  finishReason?: string;
}

/** As much as is kept of a finish reason, which is a word as a rule. UTF-16 code units. */
const MAX_FINISH_REASON = 64;

/** The first choice; other providers' ways to say the same are understood. */
export function readChoice(chunk: ProviderChunk): ProviderDelta | undefined {
  const choice: unknown = Array.isArray(chunk.choices) ? chunk.choices[0] : undefined;
  if (!isObject(choice) || (choice.index ?? 0) !== 0) return undefined;
  const finishReason = finishReasonOf(choice.finish_reason);
  const delta = choice.delta ?? choice.message;
  if (!isObject(delta)) return { content: '', reasoning: '', finishReason };
  return {
    content: textOf(delta.content) || textOf(delta.refusal),
    reasoning: textOf(delta.reasoning_content) || textOf(delta.reasoning),
    finishReason,
  };
}

export function readUsage(usage: unknown): TokenUsage | undefined {
  if (!isObject(usage)) return undefined;
  const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = usage;
  if (!isCount(promptTokens) || !isCount(completionTokens)) return undefined;
  const totalTokens = isCount(usage.total_tokens) ? usage.total_tokens : promptTokens + completionTokens;
  return isCount(totalTokens) ? { promptTokens, completionTokens, totalTokens } : undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function finishReasonOf(reason: unknown): string | undefined {
  if (typeof reason !== 'string' || reason === '') return undefined;
  return toUSVString(reason.slice(0, MAX_FINISH_REASON)).replaceAll('\0', '\ufffd');
}

/** A string, or the text of a list of parts (`{type: 'text', text}`). */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part) => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('');
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
}
