import { createHash } from 'node:crypto';
import { z } from 'zod';
import { demoAnswer, type DemoMessage, deltasOf } from './demo-answer.js';

const TextPart = z.object({ type: z.literal('text'), text: z.string() });
const ImagePart = z.object({ type: z.literal('image_url'), image_url: z.object({ url: z.string() }) });

/** The server's prompts begin the text of a file with its name, as JSON. */
const FILE_NAME = /^File "((?:[^"\\]|\\.)*)":\n\n/;

/** The supported part of OpenAI's chat request; other members are ignored. */
export const DemoRequest = z.object({
  model: z.string(),
  messages: z
    .array(
      z.object({
        role: z.string(),
        content: z.union([z.string(), z.array(z.union([TextPart, ImagePart])), z.null()]).default(null),
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
    const messages = request.messages.map(({ role, content }) => ({ role, ...readContent(content) }));
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

/** Separates words from files: images, and text parts that begin with a file's name. */
function readContent(content: DemoRequest['messages'][number]['content']): Omit<DemoMessage, 'role'> {
  const parts = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : (content ?? []);
  const message = { text: '', files: [] as string[] };
  for (const part of parts) {
    const file = part.type === 'text' ? FILE_NAME.exec(part.text)?.[1] : typeOf(part.image_url.url);
    if (file !== undefined) message.files.push(file);
    else if (part.type === 'text') message.text += `${message.text && '\n'}${part.text}`;
  }
  return message;
}

function typeOf(url: string): string {
  return /^data:([\w/+.-]+)/.exec(url)?.[1] ?? 'image';
}

function usageOf(messages: DemoMessage[], completionTokens: number) {
  const promptTokens = messages.reduce((sum, message) => sum + deltasOf(message.text).length, 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
