import { emptyReplySentence, finishOf } from '../provider/finish-reason.js';
import { ProviderErrors } from '../errors/provider-errors.js';
import {
  asksForTool,
  choiceOf,
  type ProviderChunk,
  type ProviderDelta,
  readChoice,
  readError,
} from '../provider/provider.chunk.js';
import { ProviderError } from '../provider/provider.error.js';
import { ReplyBatch } from '../provider/provider.js';
import { UsageCount } from './provider-usage.js';
import { ReplySources } from './reply-sources.js';
import { Utf16Joiner } from './utf16-joiner.js';
import { ThinkingTags, type Thoughts } from './thinking-tags.js';
import { WholeMessage } from './whole-message.js';

/** Content and reasoning together, in bytes of UTF-8. */
export const MAX_REPLY_BYTES = 10 * 1024 * 1024;

/**
 * How the provider ended the reply so far. A finish reason beside text, and a usage chunk, are `likely` ends: more text
 * may follow. A finish reason alone is `certain`.
 */
export type Ending = 'none' | 'likely' | 'certain';

/** What the chunks of one reply have said so far. Never throws: a failure waits until the text before it is passed on. */
export class CompletionState {
  ending: Ending = 'none';
  private readonly content = new Utf16Joiner();
  private readonly reasoning = new Utf16Joiner();
  private readonly tags = new ThinkingTags();
  private readonly message = new WholeMessage();
  private readonly usage = new UsageCount();
  private readonly sources = new ReplySources();
  private fault?: ProviderError;
  private finishReason?: string;
  private lastReason?: string;
  private hasNewUsage = false;
  private hasNewSources = false;
  private restarted = false;
  private chosen = false;
  private begun = false;
  private answered = false;
  private thought = false;
  private askedForTool = false;
  private wasCertain = false;
  private bytes = 0;

  constructor(private readonly errors: ProviderErrors) {}

  get failure(): ProviderError | undefined {
    return this.fault;
  }

  /** There is text, white space aside, or reasoning. */
  get heard(): boolean {
    return this.answered || this.thought;
  }

  /** There is text, white space aside: a clean end of the connection is then an end of the reply. */
  get hasAnswer(): boolean {
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
    return this.answered && this.lastReason !== undefined && this.ending !== 'none';
  }

  fail(fault: ProviderError): void {
    if (!this.isSettled) this.fault ??= fault;
  }

  read(chunk: ProviderChunk): void {
    const error = readError(chunk);
    if (error !== undefined) return this.fail(this.errors.ofBody(error));
    const choice = choiceOf(chunk);
    const isUsage = this.usage.add(chunk, choice);
    if (isUsage) this.hasNewUsage = true;
    if (this.sources.add(chunk, choice)) this.hasNewSources = true;
    if (choice) this.readChoice(choice);
    else if (isUsage && this.answered && this.ending === 'none') this.ending = 'likely';
  }

  /** @param isLast what is held back for what may follow it is due too */
  take(isLast: boolean): ReplyBatch | undefined {
    if (isLast) this.add(this.tags.flush());
    const batch: ReplyBatch = { content: this.content.take(isLast), reasoning: this.reasoning.take(isLast) };
    if (this.finishReason) batch.finishReason = this.finishReason;
    if (this.hasNewUsage) batch.usage = this.usage.value;
    if (this.hasNewSources) batch.sources = this.sources.list;
    if (this.restarted) batch.restarted = true;
    this.finishReason = undefined;
    this.hasNewUsage = this.hasNewSources = this.restarted = false;
    if (!this.fits(batch)) return undefined;
    return batch.content || Object.keys(batch).length > 2 || batch.reasoning ? batch : undefined;
  }

  /** Nothing more comes: a reply without an answer is a failure. */
  end(): void {
    if (this.answered || this.fault) return;
    const { lastReason, askedForTool, thought } = this;
    const sentence = emptyReplySentence(lastReason, { askedForTool, thought });
    this.fault = this.errors.make('upstream_empty', sentence);
  }

  private readChoice(choice: Record<string, unknown>): void {
    this.chosen = true;
    this.askedForTool ||= asksForTool(choice);
    const said = this.message.unheard(readChoice(choice));
    if (said.reasoning) {
      this.tags.expectNoLoneTag();
      this.add({ content: '', reasoning: said.reasoning, moved: false });
    }
    if (said.content) this.addContent(said.content);
    this.note(said);
  }

  private addContent(text: string): void {
    const thoughts = this.tags.add(text);
    if (thoughts) this.add(thoughts);
    else this.addAnswer(text);
  }

  private add({ content, reasoning, moved }: Thoughts): void {
    if (moved) this.moveToReasoning();
    this.reasoning.add(reasoning);
    this.thought ||= reasoning.trim() !== '';
    if (content) this.addAnswer(content);
  }

  private addAnswer(text: string): void {
    this.content.add(text);
    this.begun = true;
    this.answered ||= text.trim() !== '';
  }

  private moveToReasoning(): void {
    this.reasoning.add(this.content.drain());
    this.restarted = this.begun;
    this.thought ||= this.answered;
    this.answered = false;
  }

  private note({ content, reasoning, finishReason }: ProviderDelta): void {
    if (!finishReason && this.ending === 'none') return;
    const hasText = (content + reasoning).trim() !== '';
    if (finishReason) {
      this.finish(finishReason, hasText);
    } else if (hasText && this.ending !== 'none') {
      this.ending = this.wasCertain ? 'likely' : 'none';
    }
  }

  private finish(reason: string, hasText: boolean): void {
    const kind = finishOf(reason);
    if (kind === 'filtered') {
      this.fail(this.errors.make('content_filtered', "The provider's content filter ended the reply."));
    } else if (kind === 'failed') {
      this.fail(this.errors.make('upstream_error', `The provider ended the reply with "${reason}".`));
    }
    this.finishReason = this.lastReason = reason;
    this.ending = hasText ? 'likely' : 'certain';
    this.wasCertain ||= !hasText;
  }

  private fits({ content, reasoning }: ReplyBatch): boolean {
    this.bytes += Buffer.byteLength(content) + Buffer.byteLength(reasoning);
    if (!this.isFull) return true;
    this.fail(this.errors.make('upstream_bad_response', 'The provider sent a reply of more than 10 MiB.'));
    return false;
  }
}
