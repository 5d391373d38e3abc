import type { ReplyBatch } from '../ai/provider.js';
import type { MessageDto } from '../conversations/message.dto.js';
import { ParleyEvent } from '../events/event-hub.js';
import { chunksBefore, type ReplyPart } from '../conversations/reply-chunk.entity.js';
import type { FinalReply } from './reply-store.js';
import { ReplyText, withText } from './reply-text.js';

/** A chunk grows until it is handed over, up to here: a row must fit in a statement. UTF-16 code units. */
const MAX_CHUNK = 64 * 1024;

/** A piece of text that the database does not have yet. */
export interface UnsavedChunk {
  messageId: number;
  seq: number;
  part: ReplyPart;
  text: string;
}

/** A reply that runs in this process: its text so far, and the part of it that is not stored yet. */
export class Reply extends ReplyText {
  /** Its run ends when this is aborted; the reason is a {@link ReplyAborted}. */
  readonly abort = new AbortController();
  /** Resolves once its end is stored; null where its conversation is gone by then. */
  readonly ended: Promise<MessageDto | null>;
  resolveEnded!: (message: MessageDto | null) => void;

  private unsaved: UnsavedChunk[] = [];
  private seq: number;
  /** Chunks up to here have been handed over: they may be stored, so they must not grow. */
  private handedOver: number;

  constructor(
    message: MessageDto,
    readonly userId: number,
    attempt: number,
  ) {
    super(message, attempt);
    this.seq = this.handedOver = chunksBefore(attempt);
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
  }

  /** Takes in what one read of the provider brought, as at most one delta a part. */
  append(batch: ReplyBatch): ParleyEvent[] {
    const deltas: ParleyEvent[] = [];
    if (batch.reasoning) deltas.push(this.appendPart('reasoning', batch.reasoning));
    if (batch.content) deltas.push(this.appendPart('content', batch.content));
    return deltas;
  }

  /** The message with its end, as it is stored. */
  endedAs(final: FinalReply): MessageDto {
    return Object.assign(withText(this.message, final.content, final.reasoning), {
      status: final.status,
      finish_reason: final.finishReason,
      error: final.errorCode ? { code: final.errorCode, detail: final.errorDetail } : null,
      usage: {
        prompt_tokens: final.promptTokens,
        completion_tokens: final.completionTokens,
        total_tokens: final.totalTokens,
        estimated: final.usageEstimated,
      },
      completed_at: final.completedAt.toISOString(),
    });
  }

  /** Hands over what is not stored yet; {@link giveBack} returns it where storing failed. */
  takeUnsaved(): UnsavedChunk[] {
    const taken = this.unsaved;
    this.unsaved = [];
    this.handedOver = this.seq;
    return taken;
  }

  /** UTF-16 code units that are not stored yet, nor handed over. */
  get unsavedLength(): number {
    return lengthOf(this.unsaved);
  }

  giveBack(chunks: UnsavedChunk[]): void {
    this.unsaved = [...chunks, ...this.unsaved];
  }

  protected override appendPart(part: ReplyPart, text: string): ParleyEvent {
    this.keep(part, text);
    return super.appendPart(part, text);
  }

  private keep(part: ReplyPart, text: string): void {
    const last = this.unsaved.at(-1);
    const grows = last?.part === part && last.seq > this.handedOver && last.text.length < MAX_CHUNK;
    if (grows) last.text += text;
    else this.unsaved.push({ messageId: this.message.id, seq: ++this.seq, part, text });
  }
}

export function lengthOf(chunks: UnsavedChunk[]): number {
  return chunks.reduce((sum, { text }) => sum + text.length, 0);
}

/** Why a reply's run was aborted, and so which end it comes to. */
export class ReplyAborted extends Error {
  constructor(readonly end: 'stopped' | 'interrupted') {
    super(`The reply was ${end}.`);
  }
}
