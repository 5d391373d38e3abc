import { imagesOf, textOf } from '../ai/provider/prompt-content.js';
import type { PromptMessage, TokenUsage } from '../ai/provider/provider.js';
import { countTokens } from '../ai/tokenizer/tokenizer.js';

/** Upper bound of a chat message's tokens beside its text; OpenAI's models use 3 and a name. */
export const TOKENS_PER_MESSAGE = 5;

/** The tokens of longer text are extrapolated from its start, because counting takes too long. UTF-16 code units. */
const SAMPLE_LENGTH = 64 * 1024;

export type Usage = TokenUsage & { estimated: boolean };

/** Estimates usage with the tokenizer, for a provider that reports none. */
export async function estimateUsage(prompt: PromptMessage[], text: string): Promise<Usage> {
  const texts = [...prompt.map(({ content }) => textOf(content)), text];
  const images = prompt.flatMap(({ content }) => imagesOf(content));
  const counts = await countTokens(texts.map((each) => each.slice(0, SAMPLE_LENGTH)));
  const estimates = texts.map((each, index) => counts[index]! * Math.max(1, each.length / SAMPLE_LENGTH));
  const completionTokens = Math.round(estimates.pop()!);
  const imageTokens = images.reduce((sum, { tokens }) => sum + tokens, 0);
  const promptTokens = estimates.reduce(
    (sum, tokens) => sum + Math.round(tokens) + TOKENS_PER_MESSAGE,
    imageTokens,
  );
  return {
    promptTokens,
    completionTokens,
    totalTokens: promptTokens + completionTokens,
    estimated: true,
  };
}
