import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { REPLY_PARTS, type ReplyPart } from '../../conversations/messages/reply-chunk.entity.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { deltaHead, messageDelta } from '../events/chat.events.js';
import { cursorText } from '../events/cursor.js';
import { TextBuffer } from './text-buffer.js';

/** Lengths of both parts, in UTF-16 code units. */
type Offsets = Record<ReplyPart, number>;

/** Growing text of a reply. */
export class StreamedText {
  protected text = { content: new TextBuffer(), reasoning: new TextBuffer() };
  private readonly heads: Record<ReplyPart, string>;

  constructor(
    /** The message as created, without the text. */
    readonly message: MessageDto,
    public attempt: number,
  ) {
    const { id: message_id, conversation_id } = message;
    const headOf = (part: ReplyPart) => deltaHead({ conversation_id, message_id, part });
    this.heads = { content: headOf('content'), reasoning: headOf('reasoning') };
  }

  /** Length of both parts together, in UTF-16 code units. */
  get length(): number {
    return this.text.content.length + this.text.reasoning.length;
  }

  get content(): string {
    return String(this.text.content);
  }

  get reasoning(): string {
    return String(this.text.reasoning);
  }

  /** The text after these offsets, as deltas. */
  since(offsets: Offsets): ParleyEvent[] {
    return textSince(this.snapshot(), this.attempt, offsets);
  }

  /** Deltas that turn this text into the ended message's. */
  missingOf(message: MessageDto): ParleyEvent[] {
    const { content, reasoning } = this.text;
    return textSince(message, this.attempt, { content: content.length, reasoning: reasoning.length });
  }

  /** The message with its text so far. */
  snapshot(): MessageDto {
    return withText(this.message, this.content, this.reasoning);
  }

  append(part: ReplyPart, text: string): ParleyEvent {
    const offset = this.text[part].length;
    this.text[part].append(text);
    const { attempt } = this;
    const { id: messageId, conversation_id } = this.message;
    const content = this.text.content.length;
    const reasoning = this.text.reasoning.length;
    return messageDelta(
      { conversation_id, message_id: messageId, part, offset, text },
      () => cursorText({ messageId, attempt, content, reasoning, done: false }),
      this.heads[part],
    );
  }
}

export function withText(message: MessageDto, content: string, reasoning: string): MessageDto {
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message, { content, reasoning });
}

/** A message's text after these offsets, as at most one delta per part. */
export function textSince(message: MessageDto, attempt: number, offsets: Offsets): ParleyEvent[] {
  const { id: message_id, conversation_id } = message;
  const received = { ...offsets };
  return REPLY_PARTS.flatMap((part) => {
    const { length } = message[part];
    // After a crash the stored text may be shorter than the client's: an empty delta truncates it.
    const isCut = message.status !== 'streaming' && received[part] > length;
    const offset = isCut ? length : received[part];
    const text = message[part].slice(offset);
    if (text === '' && !isCut) return [];
    received[part] = length;
    const cursor = { messageId: message_id, attempt, ...received, done: false };
    return [messageDelta({ conversation_id, message_id, part, offset, text }, () => cursorText(cursor))];
  });
}

/** A message's text as one delta per part from offset 0, which replaces any text that a client has. */
export function wholeText(message: MessageDto, attempt: number): ParleyEvent[] {
  const { id: message_id, conversation_id } = message;
  const received = { messageId: message_id, attempt, content: 0, reasoning: 0, done: false };
  return REPLY_PARTS.map((part) => {
    const text = message[part];
    received[part] = text.length;
    const cursor = cursorText(received);
    return messageDelta({ conversation_id, message_id, part, offset: 0, text }, () => cursor);
  });
}
