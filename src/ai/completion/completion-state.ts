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

/** Content and reasoning together, in bytes of UTF-8. */
export const MAX_REPLY_BYTES = 10 * 1024 * 1024;

/**
 * How the provider ended the reply so far. A finish reason beside text, and a usage chunk, are `likely` ends: more text
 * may follow. A finish reason alone is `certain`.
 */
export type EndSignal = 'none' | 'likely' | 'certain';

/** What the chunks of one reply have said so far. Never throws: a failure waits until the text before it is passed on. */
export class CompletionState {
  endSignal: EndSignal = 'none';
  private readonly content = new Utf16Joiner();
  private readonly reasoning = new Utf16Joiner();
  private readonly tags = new ThinkingTags();
  private readonly message = new RepeatedText();
  private readonly usage = new UsageCount();
  private readonly sources = new SourceList();
  private firstError?: ProviderError;
  private finishReason?: string;
  private lastReason?: string;
  private hasNewUsage = false;
  private hasNewSources = false;
  private restarted = false;
  private chosen = false;
  private begun = false;
  private answered = false;
  private hasReasoning = false;
  private requestedTool = false;
  private wasEverCertain = false;
  private bytes = 0;

  constructor(private readonly errors: ProviderErrorFactory) {}

  get error(): ProviderError | undefined {
    return this.firstError;
  }

  /** There is text, white space aside, or reasoning. */
  get hasText(): boolean {
    return this.answered || this.hasReasoning;
  }

  /** There is text, white space aside: a clean end of the connection is then an end of the reply. */
  get hasContent(): boolean {
    return this.answered;
  }

  get hasChoice(): boolean {
    return this.chosen;
  }

  /** The limit is passed: nothing more is taken. */
  get isFull(): boolean {
    return this.bytes > MAX_REPLY_BYTES;
  }

  /** The provider gave a reason to finish an answer, so that nothing which follows can fail it. */
  private get isSettled(): boolean {
    return this.answered && this.lastReason !== undefined && this.endSignal !== 'none';
  }

  fail(fault: ProviderError): void {
    if (!this.isSettled) this.firstError ??= fault;
  }

  read(chunk: ProviderChunk): void {
    const error = readError(chunk);
    if (error !== undefined) return this.fail(this.errors.fromBody(error));
    const choice = choiceOf(chunk);
    const isUsage = this.usage.add(chunk, choice);
    if (isUsage) this.hasNewUsage = true;
    if (this.sources.add(chunk, choice)) this.hasNewSources = true;
    if (choice) this.readChoice(choice);
    else if (isUsage && this.answered && this.endSignal === 'none') this.endSignal = 'likely';
  }

  /** @param isLast what is held back for what may follow it is due too */
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

  /** Nothing more comes: a reply without an answer is a failure. */
  conclude(): void {
    if (this.answered || this.firstError) return;
    const { lastReason, requestedTool: askedForTool, hasReasoning: thought } = this;
    const sentence = emptyReplySentence(lastReason, { askedForTool, thought });
    this.firstError = this.errors.create('upstream_empty', sentence);
  }

  private readChoice(choice: Record<string, unknown>): void {
    this.chosen = true;
    this.requestedTool ||= requestsTool(choice);
    const said = this.message.remove(readChoice(choice));
    if (said.reasoning) {
      this.tags.ignoreLoneTags();
      this.append({ content: '', reasoning: said.reasoning, contentWasReasoning: false });
    }
    if (said.content) this.addContent(said.content);
    this.updateEndSignal(said);
  }

  private addContent(text: string): void {
    const thoughts = this.tags.add(text);
    if (thoughts) this.append(thoughts);
    else this.appendContent(text);
  }

  private append({ content, reasoning, contentWasReasoning: moved }: SplitText): void {
    if (moved) this.moveToReasoning();
    this.reasoning.add(reasoning);
    this.hasReasoning ||= reasoning.trim() !== '';
    if (content) this.appendContent(content);
  }

  private appendContent(text: string): void {
    this.content.add(text);
    this.begun = true;
    this.answered ||= text.trim() !== '';
  }

  private moveToReasoning(): void {
    this.reasoning.add(this.content.drain());
    this.restarted = this.begun;
    this.hasReasoning ||= this.answered;
    this.answered = false;
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
    this.fail(this.errors.create('upstream_bad_response', 'The provider sent a reply of more than 10 MiB.'));
    return false;
  }
}
