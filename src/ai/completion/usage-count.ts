import { isObject, type ProviderChunk } from '../provider/provider.chunk.js';
import { TokenUsage } from '../provider/provider.js';

const PROMPT = ['prompt_tokens', 'input_tokens', 'promptTokens', 'inputTokens', 'promptTokenCount'];
const COMPLETION = [
  'completion_tokens',
  'output_tokens',
  'completionTokens',
  'outputTokens',
  'candidatesTokenCount',
];
const TOTAL = ['total_tokens', 'totalTokens', 'totalTokenCount'];

/** Limit of the database's columns: a greater count would fail the write of a reply's end. */
const MAX_COUNT = 2 ** 31 - 1;

/** Collects the token counts of one reply from all of its chunks. A zero never replaces a count. */
export class UsageCount {
  private prompt?: number;
  private completion?: number;
  private total = 0;

  /** @returns whether the chunk had a count and both counts are known now */
  add(chunk: ProviderChunk, choice: Record<string, unknown> | undefined): boolean {
    const candidates = [chunk.usage, choice?.usage, groqUsage(chunk.x_groq), chunk.usageMetadata];
    const hasNew = candidates.filter(isObject).filter((usage) => this.addFrom(usage)).length > 0;
    return hasNew && this.prompt !== undefined && this.completion !== undefined;
  }

  /** A reported total below the sum is outdated. */
  get value(): TokenUsage {
    const { prompt: promptTokens = 0, completion: completionTokens = 0, total } = this;
    const sum = promptTokens + completionTokens;
    return { promptTokens, completionTokens, totalTokens: Math.min(Math.max(total, sum), MAX_COUNT) };
  }

  private addFrom(usage: Record<string, unknown>): boolean {
    const prompt = countIn(usage, PROMPT);
    const completion = countIn(usage, COMPLETION);
    if (!prompt && !completion) return false;
    this.prompt = prompt || (this.prompt ?? prompt);
    this.completion = completion || (this.completion ?? completion);
    this.total = countIn(usage, TOTAL) || this.total;
    return true;
  }
}

function groqUsage(xGroq: unknown): unknown {
  return isObject(xGroq) ? xGroq.usage : undefined;
}

/** Returns the first count other than zero, else zero. */
function countIn(usage: Record<string, unknown>, names: string[]): number | undefined {
  const values = names.map((name) =>
    typeof usage[name] === 'string' ? Number(usage[name] || NaN) : usage[name],
  );
  const counts = values.filter(isCount);
  return counts.find(Boolean) ?? counts[0];
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_COUNT;
}
