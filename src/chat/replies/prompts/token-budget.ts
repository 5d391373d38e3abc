import type { PromptMessage } from '../../../ai/provider/provider.js';
import {
  imagesOf,
  type PromptContent,
  type PromptPart,
  textOf,
} from '../../../ai/provider/prompt-content.js';
import { countTokens } from '../../../ai/tokenizer/tokenizer.js';
import { TOKENS_PER_MESSAGE } from '../../../usage/estimated-usage.js';

/** Longest token of o200k_base: 128 spaces. */
const MAX_BYTES_PER_TOKEN = 128;

/**
 * Counts down a budget of tokens. A token has at least one byte, so contents are first counted by their bytes, and
 * tokenized only when that bound exceeds the budget.
 */
export class TokenBudget {
  private used = 0;
  /** Contents that `used` counts by their bytes. */
  private bounded: PromptContent[] = [];

  constructor(private readonly tokens: number) {}

  /** @returns false, taking nothing, if the message does not fit */
  take({ content }: PromptMessage): Promise<boolean> {
    return this.takeContent(content);
  }

  /** Takes a part of a message. */
  takePart(part: PromptPart): Promise<boolean> {
    return this.takeContent([part]);
  }

  /** @returns false for text that cannot fit, without counting it */
  mayFit(bytes: number): boolean {
    return bytes <= this.tokens * MAX_BYTES_PER_TOKEN;
  }

  private async takeContent(content: PromptContent): Promise<boolean> {
    const bound = upperBoundOf(content);
    if (this.used + bound <= this.tokens) {
      this.used += bound;
      this.bounded.push(content);
      return true;
    }
    await this.tokenize();
    const tokens = await tokensOf(content);
    if (this.used + tokens > this.tokens) return false;
    this.used += tokens;
    return true;
  }

  /** Replaces bounds with token counts. */
  private async tokenize(): Promise<void> {
    for (const content of this.bounded) this.used += (await tokensOf(content)) - upperBoundOf(content);
    this.bounded = [];
  }
}

function upperBoundOf(content: PromptContent): number {
  return Buffer.byteLength(textOf(content)) + fixedTokensOf(content);
}

async function tokensOf(content: PromptContent): Promise<number> {
  const [count] = await countTokens([textOf(content)]);
  return count! + fixedTokensOf(content);
}

function fixedTokensOf(content: PromptContent): number {
  return imagesOf(content).reduce((sum, { tokens }) => sum + tokens, TOKENS_PER_MESSAGE);
}
