import { createHash } from 'node:crypto';
import { z } from 'zod';
import { demoAnswer, type DemoMessage, deltasOf } from './demo-answer.js';

const TextPart = z.object({ type: z.literal('text'), text: z.string() });

/** The supported part of OpenAI's chat request; other members are ignored. */
export const DemoRequest = z.object({
  model: z.string(),
  messages: z
    .array(
      z.object({
        role: z.string(),
        content: z.union([z.string(), z.array(TextPart), z.null()]).default(null),
      }),
    )
    .min(1),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
});
export type DemoRequest = z.infer<typeof DemoRequest>;

// Fixed, so that equal requests have equal responses.
const CREATED = Date.UTC(2026, 0, 1) / 1000;

/** A completion that can be sent whole or as a stream. A delta counts as a token. */
export class DemoCompletion {
  readonly deltas: string[];
  readonly finishReason: 'stop' | 'length';
  private readonly id: string;
  private readonly usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };

  constructor(private readonly request: DemoRequest) {
    const messages = request.messages.map(({ role, content }) => ({ role, text: textOf(content) }));
    const whole = deltasOf(demoAnswer(messages));
    this.deltas = whole.slice(0, request.max_completion_tokens ?? request.max_tokens ?? undefined);
    this.finishReason = this.deltas.length < whole.length ? 'length' : 'stop';
    this.id = `chatcmpl-demo-${createHash('sha256').update(JSON.stringify(messages)).digest('hex').slice(0, 24)}`;
    this.usage = usageOf(messages, this.deltas.length);
  }

  /** The response with `stream: false`. */
  whole() {
    const message = { role: 'assistant', content: this.deltas.join('') };
    return {
      ...this.head('chat.completion'),
      choices: [{ index: 0, message, finish_reason: this.finishReason }],
      usage: this.usage,
    };
  }

  chunk(delta: { role?: 'assistant'; content?: string }, finishReason: string | null = null) {
    return {
      ...this.head('chat.completion.chunk'),
      choices: [{ index: 0, delta, finish_reason: finishReason }],
      ...(this.includeUsage && { usage: null }),
    };
  }

  usageChunk() {
    return { ...this.head('chat.completion.chunk'), choices: [], usage: this.usage };
  }

  get includeUsage(): boolean {
    return this.request.stream_options?.include_usage ?? false;
  }

  private head(object: string) {
    return { id: this.id, object, created: CREATED, model: this.request.model };
  }
}

function textOf(content: DemoRequest['messages'][number]['content']): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => part.text).join('\n');
}

function usageOf(messages: DemoMessage[], completionTokens: number) {
  const promptTokens = messages.reduce((sum, message) => sum + deltasOf(message.text).length, 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
