import type { PromptMessage, TokenUsage } from '../ai/provider.js';
import { countTokens, loadTokenizer } from '../ai/tokenizer.js';
import { promptTokens } from './prompt.service.js';

/** Longer text is estimated from its beginning: a count of megabytes would hold up everybody. UTF-16 code units. */
const SAMPLE_LENGTH = 64 * 1024;

export type Usage = TokenUsage & { estimated: boolean };

/** The provider's numbers where it sent them, else an estimate by a tokenizer. */
export async function usageOf(
  prompt: PromptMessage[],
  text: string,
  provided: TokenUsage | undefined,
): Promise<Usage> {
  if (provided) return { ...provided, estimated: false };
  await loadTokenizer();
  const tokens = { prompt: prompt.reduce((sum, m) => sum + estimate(m), 0), completion: estimateText(text) };
  return {
    promptTokens: tokens.prompt,
    completionTokens: tokens.completion,
    totalTokens: tokens.prompt + tokens.completion,
    estimated: true,
  };
}

function estimate(message: PromptMessage): number {
  return promptTokens([{ ...message, content: '' }]) + estimateText(message.content);
}

function estimateText(text: string): number {
  if (text.length <= SAMPLE_LENGTH) return countTokens(text);
  return Math.round((countTokens(text.slice(0, SAMPLE_LENGTH)) / SAMPLE_LENGTH) * text.length);
}
