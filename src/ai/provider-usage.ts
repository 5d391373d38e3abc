import { isObject, type ProviderChunk } from './provider.chunk.js';
import { TokenUsage } from './provider.js';

const PROMPT = ['prompt_tokens', 'input_tokens', 'promptTokens', 'inputTokens', 'promptTokenCount'];
const COMPLETION = [
  'completion_tokens',
  'output_tokens',
  'completionTokens',
  'outputTokens',
  'candidatesTokenCount',
];
const TOTAL = ['total_tokens', 'totalTokens', 'totalTokenCount'];

/** What the database's columns hold: a greater count would keep a reply's end from being stored. */
const MOST = 2 ** 31 - 1;

/** Counts that a provider reports of one reply, wherever in its chunks; a zero never replaces a count. */
export class UsageCount {
  private prompt = 0;
  private completion = 0;
  private total = 0;

  /** @returns whether the chunk had a count */
  add(chunk: ProviderChunk, choice: Record<string, unknown> | undefined): boolean {
    const usage = chunk.usage ?? choice?.usage ?? groqUsage(chunk.x_groq) ?? chunk.usageMetadata;
    if (!isObject(usage)) return false;
    const prompt = countIn(usage, PROMPT);
    const completion = countIn(usage, COMPLETION);
    if (prompt === undefined || completion === undefined || prompt + completion === 0) return false;
    this.prompt = prompt || this.prompt;
    this.completion = completion || this.completion;
    this.total = countIn(usage, TOTAL) || this.total;
    return true;
  }

  /** A total below its parts is an older one. */
  get value(): TokenUsage {
    const sum = this.prompt + this.completion;
    return {
      promptTokens: this.prompt,
      completionTokens: this.completion,
      totalTokens: Math.min(Math.max(this.total, sum), MOST),
    };
  }
}

function groqUsage(xGroq: unknown): unknown {
  return isObject(xGroq) ? xGroq.usage : undefined;
}

function countIn(usage: Record<string, unknown>, names: string[]): number | undefined {
  for (const name of names) {
    const value = typeof usage[name] === 'string' ? Number(usage[name] || NaN) : usage[name];
    if (isCount(value)) return value;
  }
  return undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MOST;
}
