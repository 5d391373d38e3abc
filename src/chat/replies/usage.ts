import type { PromptMessage, TokenUsage } from '../../ai/provider/provider.js';
import { countTokens } from '../../ai/tokenizer/tokenizer.js';
import { TOKENS_A_MESSAGE } from './prompt.service.js';

/** Longer text is estimated from its beginning: a count of megabytes would hold up the reply's end. UTF-16 code units. */
const SAMPLE_LENGTH = 64 * 1024;

export type Usage = TokenUsage & { estimated: boolean };

/** The provider's numbers where it sent them, else an estimate by a tokenizer. */
export async function usageOf(
  prompt: PromptMessage[],
  text: string,
  provided: TokenUsage | undefined,
): Promise<Usage> {
  if (provided) return { ...provided, estimated: false };
  const texts = [...prompt.map(({ content }) => content), text];
  const counts = await countTokens(texts.map((each) => each.slice(0, SAMPLE_LENGTH)));
  const estimates = texts.map((each, index) => counts[index]! * Math.max(1, each.length / SAMPLE_LENGTH));
  const completionTokens = Math.round(estimates.pop()!);
  const promptTokens = estimates.reduce((sum, tokens) => sum + Math.round(tokens) + TOKENS_A_MESSAGE, 0);
  return {
    promptTokens,
    completionTokens,
    totalTokens: promptTokens + completionTokens,
    estimated: true,
  };
}
