import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { REPLY_PARTS, type ReplyPart } from '../../conversations/messages/reply-chunk.entity.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { deltaHead, messageDelta } from '../events/chat.events.js';
import { cursorText } from '../events/cursor.js';
import { TextBuffer } from './text-buffer.js';

/** A reply's text as it grows. */
export class StreamedText {
  protected text = { content: new TextBuffer(), reasoning: new TextBuffer() };
  private readonly heads: Record<ReplyPart, string>;

  constructor(
    /** As it was created: its text is here, not there. */
    readonly message: MessageDto,
    public attempt: number,
  ) {
    const { id: message_id, conversation_id } = message;
    const headOf = (part: ReplyPart) => deltaHead({ conversation_id, message_id, part });
    this.heads = { content: headOf('content'), reasoning: headOf('reasoning') };
  }

  /** Of both parts, in UTF-16 code units. */
  get length(): number {
    return this.text.content.length + this.text.reasoning.length;
  }

  get content(): string {
    return String(this.text.content);
  }

  get reasoning(): string {
    return String(this.text.reasoning);
  }

  /** Its text from the given places on, as deltas: what a client that comes late has missed. */
  since(offsets: { content: number; reasoning: number }): ParleyEvent[] {
    return textSince(this.snapshot(), this.attempt, offsets);
  }

  /** What makes the text so far that of the message as it has ended, elsewhere perhaps. */
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

/** A message's text from the given places on, as at most one delta a part. */
export function textSince(
  message: MessageDto,
  attempt: number,
  seen: { content: number; reasoning: number },
): ParleyEvent[] {
  const { id: message_id, conversation_id } = message;
  const at = { ...seen };
  return REPLY_PARTS.flatMap((part) => {
    const { length } = message[part];
    // A crash may have taken the last of what a client has: an ended message's text is cut to what is stored.
    const isCut = message.status !== 'streaming' && at[part] > length;
    const offset = isCut ? length : at[part];
    const text = message[part].slice(offset);
    if (text === '' && !isCut) return [];
    at[part] = length;
    const place = { messageId: message_id, attempt, ...at, done: false };
    return [messageDelta({ conversation_id, message_id, part, offset, text }, () => cursorText(place))];
  });
}

/** A message's text as deltas that set each part, whatever a client has of it. */
export function wholeText(message: MessageDto, attempt: number): ParleyEvent[] {
  const { id: message_id, conversation_id } = message;
  const place = { messageId: message_id, attempt, content: 0, reasoning: 0, done: false };
  return REPLY_PARTS.map((part) => {
    const text = message[part];
    place[part] = text.length;
    const cursor = cursorText(place);
    return messageDelta({ conversation_id, message_id, part, offset: 0, text }, () => cursor);
  });
}
