import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { chunksBefore, type ReplyPart } from '../../conversations/messages/reply-chunk.entity.js';
import { messageRestarted } from '../events/chat.events.js';
import { TextBuffer } from './text-buffer.js';
import type { FinalReply } from './reply-end-records.js';
import type { UnsavedChunk } from './reply-repository.js';
import { StreamedText, withText } from './streamed-text.js';

/** Keeps a chunk small enough for one statement. UTF-16 code units. */
const MAX_RANGE_LENGTH = 64 * 1024;

/** Range of a part's text that is not stored yet. */
interface TextRange {
  part: ReplyPart;
  start: number;
  end: number;
}

/** Reply that runs in this process: its text so far, and which of it is not stored yet. */
export class ActiveReply extends StreamedText {
  private readonly controller = new AbortController();
  /** Aborted by {@link abort}; the reason is a {@link ReplyAborted}. */
  readonly signal = this.controller.signal;
  /** Resolves when the end is stored; to null if the conversation was deleted. */
  readonly ended: Promise<MessageDto | null>;
  resolveEnded!: (message: MessageDto | null) => void;

  /** Chunks whose write failed. They are kept unchanged, because they may be stored nonetheless. */
  private returned: UnsavedChunk[] = [];
  private unsaved: TextRange[] = [];
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

  /** Ends the run early, with this final status. */
  abort(end: ReplyAborted['end']): void {
    this.controller.abort(new ReplyAborted(end));
  }

  /** The message with its end. */
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

  /** Takes the text to store; {@link returnUnsaved} puts it back if the write fails. */
  takeUnsaved(): UnsavedChunk[] {
    const taken = [...this.returned, ...this.unsaved.map((range) => this.chunkOf(range))];
    this.returned = [];
    this.unsaved = [];
    return taken;
  }

  returnUnsaved(chunks: UnsavedChunk[]): void {
    this.returned = [...chunks, ...this.returned];
  }

  /** UTF-16 code units that are neither stored nor taken for storing. */
  get unsavedLength(): number {
    return this.unsaved.reduce((sum, { start, end }) => sum + end - start, lengthOf(this.returned));
  }

  /**
   * Starts another attempt, which consists of this reasoning.
   * @returns events to publish
   */
  restart(reasoning: string): ParleyEvent[] {
    this.attempt++;
    // The repository stores the reasoning as the attempt's first chunk.
    this.seq = chunksBefore(this.attempt) + 1;
    this.text = { content: new TextBuffer(), reasoning: new TextBuffer() };
    this.returned = [];
    this.unsaved = [];
    const restarted = messageRestarted(this.message, this.attempt);
    return reasoning ? [restarted, super.append('reasoning', reasoning)] : [restarted];
  }

  override append(part: ReplyPart, text: string): ParleyEvent {
    this.addUnsaved(part, text.length);
    return super.append(part, text);
  }

  private addUnsaved(part: ReplyPart, length: number): void {
    const { length: start } = this.text[part];
    const last = this.unsaved.at(-1);
    if (last?.part === part && last.end - last.start < MAX_RANGE_LENGTH) last.end += length;
    else this.unsaved.push({ part, start, end: start + length });
  }

  private chunkOf({ part, start, end }: TextRange): UnsavedChunk {
    return { messageId: this.message.id, seq: ++this.seq, part, text: this.text[part].slice(start, end) };
  }
}

export function lengthOf(chunks: UnsavedChunk[]): number {
  return chunks.reduce((sum, { text }) => sum + text.length, 0);
}

/** Abort reason that decides the reply's final status. */
export class ReplyAborted extends Error {
  constructor(readonly end: 'stopped' | 'interrupted') {
    super(`The reply was ${end}.`);
  }
}
