import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { chunksBefore, type ReplyPart } from '../../conversations/messages/reply-chunk.entity.js';
import { messageRestarted } from '../events/chat.events.js';
import { TextBuffer } from './text-buffer.js';
import type { FinalReply, UnsavedChunk } from './reply-repository.js';
import { StreamedText, withText } from './streamed-text.js';

/** A run grows until it is handed over, up to here: a row must fit in a statement. UTF-16 code units. */
const MAX_RUN = 64 * 1024;

/** Where in a part there is text that was not handed over yet. */
interface Run {
  part: ReplyPart;
  start: number;
  end: number;
}

/** A reply that runs in this process: its text so far, and the part of it that is not stored yet. */
export class ActiveReply extends StreamedText {
  /** Its run ends when this is aborted; the reason is a {@link ReplyAborted}. */
  readonly abort = new AbortController();
  /** Resolves once its end is stored; null where its conversation is gone by then. */
  readonly ended: Promise<MessageDto | null>;
  resolveEnded!: (message: MessageDto | null) => void;

  /** Chunks that were handed over and given back: they may be stored, so they stay as they are. */
  private returned: UnsavedChunk[] = [];
  private runs: Run[] = [];
  private seq: number;

  constructor(
    message: MessageDto,
    readonly userId: number,
    attempt: number,
  ) {
    super(message, attempt);
    this.seq = chunksBefore(attempt);
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
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
      sources: final.sources ?? [],
      completed_at: final.completedAt.toISOString(),
    });
  }

  /** Hands over what is not stored yet; {@link giveBack} returns it where storing failed. */
  takeUnsaved(): UnsavedChunk[] {
    const taken = [...this.returned, ...this.runs.map((run) => this.chunkOf(run))];
    this.returned = [];
    this.runs = [];
    return taken;
  }

  /** UTF-16 code units that are not stored yet, nor handed over. */
  get unsavedLength(): number {
    return this.runs.reduce((sum, { start, end }) => sum + end - start, lengthOf(this.returned));
  }

  giveBack(chunks: UnsavedChunk[]): void {
    this.returned = [...chunks, ...this.returned];
  }

  /** Begins its text anew, as another attempt that is stored with this reasoning. @returns the events that say so */
  restart(reasoning: string): ParleyEvent[] {
    this.attempt++;
    this.seq = chunksBefore(this.attempt) + 1;
    this.text = { content: new TextBuffer(), reasoning: new TextBuffer() };
    this.returned = [];
    this.runs = [];
    const restarted = messageRestarted(this.message, this.attempt);
    return reasoning ? [restarted, super.append('reasoning', reasoning)] : [restarted];
  }

  override append(part: ReplyPart, text: string): ParleyEvent {
    this.note(part, text.length);
    return super.append(part, text);
  }

  private note(part: ReplyPart, length: number): void {
    const { length: start } = this.text[part];
    const last = this.runs.at(-1);
    if (last?.part === part && last.end - last.start < MAX_RUN) last.end += length;
    else this.runs.push({ part, start, end: start + length });
  }

  private chunkOf({ part, start, end }: Run): UnsavedChunk {
    return { messageId: this.message.id, seq: ++this.seq, part, text: this.text[part].slice(start, end) };
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
