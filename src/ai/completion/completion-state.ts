import { emptyReplySentence, finishKindOf } from '../provider/finish-reason.js';
import { ProviderErrorFactory } from '../errors/provider-error-factory.js';
import {
  requestsTool,
  choiceOf,
  type ProviderChunk,
  type ProviderDelta,
  readChoice,
  readError,
} from '../provider/provider.chunk.js';
import { ProviderError } from '../provider/provider.error.js';
import { CompletionBatch } from '../provider/provider.js';
import { UsageCount } from './usage-count.js';
import { SourceList } from './source-list.js';
import { Utf16Joiner } from './utf16-joiner.js';
import { ThinkingTags, type SplitText } from './thinking-tags.js';
import { RepeatedText } from './repeated-text.js';

/** Of content and reasoning together. */
export const MAX_REPLY_BYTES = 10 * 1024 * 1024;

/**
 * How the chunks so far ended the reply. A finish reason beside text, or a usage chunk, is `likely`: more text may
 * follow. A finish reason alone is `certain`.
 */
export type EndSignal = 'none' | 'likely' | 'certain';

/** Collects the chunks of one reply. Never throws: an error is kept until the text before it has been delivered. */
export class CompletionState {
  endSignal: EndSignal = 'none';
  private readonly content = new Utf16Joiner();
  private readonly reasoning = new Utf16Joiner();
  private readonly tags = new ThinkingTags();
  private readonly repeated = new RepeatedText();
  private readonly usage = new UsageCount();
  private readonly sources = new SourceList();
  private firstError?: ProviderError;
  private finishReason?: string;
  private lastReason?: string;
  private hasNewUsage = false;
  private hasNewSources = false;
  private restarted = false;
  private sawChoice = false;
  private contentStarted = false;
  private sawContent = false;
  private sawReasoning = false;
  private requestedTool = false;
  private wasEverCertain = false;
  private bytes = 0;

  constructor(private readonly errors: ProviderErrorFactory) {}

  get error(): ProviderError | undefined {
    return this.firstError;
  }

  /** Content or reasoning other than white space. */
  get hasText(): boolean {
    return this.sawContent || this.sawReasoning;
  }

  /** Content other than white space: a clean end of the body then ends the reply. */
  get hasContent(): boolean {
    return this.sawContent;
  }

  get hasChoice(): boolean {
    return this.sawChoice;
  }

  /** Over the limit: further text is dropped. */
  get isFull(): boolean {
    return this.bytes > MAX_REPLY_BYTES;
  }

  /** A finish reason after content: later errors no longer fail the reply. */
  private get isSettled(): boolean {
    return this.sawContent && this.lastReason !== undefined && this.endSignal !== 'none';
  }

  fail(error: ProviderError): void {
    if (!this.isSettled) this.firstError ??= error;
  }

  read(chunk: ProviderChunk): void {
    const error = readError(chunk);
    if (error !== undefined) return this.fail(this.errors.fromBody(error));
    const choice = choiceOf(chunk);
    const isUsage = this.usage.add(chunk, choice);
    if (isUsage) this.hasNewUsage = true;
    if (this.sources.add(chunk, choice)) this.hasNewSources = true;
    if (choice) this.readChoice(choice);
    else if (isUsage && this.sawContent && this.endSignal === 'none') this.endSignal = 'likely';
  }

  /**
   * Takes the text since the last call.
   * @param isLast also takes text held back for what might follow
   */
  take(isLast: boolean): CompletionBatch | undefined {
    if (isLast) this.append(this.tags.flush());
    const batch: CompletionBatch = {
      content: this.content.take(isLast),
      reasoning: this.reasoning.take(isLast),
    };
    if (this.finishReason) batch.finishReason = this.finishReason;
    if (this.hasNewUsage) batch.usage = this.usage.value;
    if (this.hasNewSources) batch.sources = this.sources.list;
    if (this.restarted) batch.restarted = true;
    this.finishReason = undefined;
    this.hasNewUsage = this.hasNewSources = this.restarted = false;
    if (!this.countBytes(batch)) return undefined;
    return batch.content || Object.keys(batch).length > 2 || batch.reasoning ? batch : undefined;
  }

  /** Ends the reply: without content it is an error. */
  conclude(): void {
    if (this.sawContent || this.firstError) return;
    const { lastReason, requestedTool, sawReasoning } = this;
    const sentence = emptyReplySentence(lastReason, { requestedTool, hasReasoning: sawReasoning });
    this.firstError = this.errors.create('upstream_empty', sentence);
  }

  private readChoice(choice: Record<string, unknown>): void {
    this.sawChoice = true;
    this.requestedTool ||= requestsTool(choice);
    const delta = this.repeated.remove(readChoice(choice));
    if (delta.reasoning) {
      this.tags.ignoreLoneTags();
      this.append({ content: '', reasoning: delta.reasoning, contentWasReasoning: false });
    }
    if (delta.content) this.addContent(delta.content);
    this.updateEndSignal(delta);
  }

  private addContent(text: string): void {
    const split = this.tags.add(text);
    if (split) this.append(split);
    else this.appendContent(text);
  }

  private append({ content, reasoning, contentWasReasoning }: SplitText): void {
    if (contentWasReasoning) this.moveToReasoning();
    this.reasoning.add(reasoning);
    this.sawReasoning ||= reasoning.trim() !== '';
    if (content) this.appendContent(content);
  }

  private appendContent(text: string): void {
    this.content.add(text);
    this.contentStarted = true;
    this.sawContent ||= text.trim() !== '';
  }

  private moveToReasoning(): void {
    this.reasoning.add(this.content.drain());
    this.restarted = this.contentStarted;
    this.sawReasoning ||= this.sawContent;
    this.sawContent = false;
  }

  private updateEndSignal({ content, reasoning, finishReason }: ProviderDelta): void {
    if (!finishReason && this.endSignal === 'none') return;
    const hasText = (content + reasoning).trim() !== '';
    if (finishReason) {
      this.readFinishReason(finishReason, hasText);
    } else if (hasText && this.endSignal !== 'none') {
      this.endSignal = this.wasEverCertain ? 'likely' : 'none';
    }
  }

  private readFinishReason(reason: string, hasText: boolean): void {
    const kind = finishKindOf(reason);
    if (kind === 'filtered') {
      this.fail(this.errors.create('content_filtered', "The provider's content filter ended the reply."));
    } else if (kind === 'failed') {
      this.fail(this.errors.create('upstream_error', `The provider ended the reply with "${reason}".`));
    }
    this.finishReason = this.lastReason = reason;
    this.endSignal = hasText ? 'likely' : 'certain';
    this.wasEverCertain ||= !hasText;
  }

  private countBytes({ content, reasoning }: CompletionBatch): boolean {
    this.bytes += Buffer.byteLength(content) + Buffer.byteLength(reasoning);
    if (!this.isFull) return true;
    // Text is lost, so the reply fails even if its finish was read with it.
    this.firstError ??= this.errors.create(
      'upstream_bad_response',
      'The provider sent a reply of more than 10 MiB.',
    );
    return false;
  }
}
