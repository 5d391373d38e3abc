import type { CompletionBatch, TokenUsage } from '../../../ai/provider/provider.js';

/** Longer answers are rejected. UTF-16 code units. */
const MAX_LENGTH = 8000;

/** What the provider has answered so far. */
export class TitleCompletion {
  content = '';
  /** All text that the provider generated. */
  generated = '';
  usage?: TokenUsage;
  private finishReason?: string;

  append({ content, reasoning, restarted, finishReason, usage }: CompletionBatch): void {
    this.content = restarted ? content : this.content + content;
    this.generated += reasoning + content;
    this.finishReason = finishReason ?? this.finishReason;
    this.usage = usage ?? this.usage;
  }

  get isTooLong(): boolean {
    return this.content.length > MAX_LENGTH;
  }

  get isCutOff(): boolean {
    return this.isTooLong || /length|max_?tokens|truncat/i.test(this.finishReason ?? '');
  }
}
