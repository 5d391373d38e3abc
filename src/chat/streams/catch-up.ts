import type { MessageDto } from '../../conversations/messages/message.dto.js';
import type { ParleyEvent } from '../../events/parley-event.js';
import { messageCompleted, messageCreated, messageRestarted } from '../events/chat.events.js';
import type { Cursor } from '../events/cursor.js';
import { textSince } from '../replies/streamed-text.js';

/** A message, as one attempt of its reply has it. */
export interface MessageAttempt {
  message: MessageDto;
  attempt: number;
}

const NOTHING = { content: 0, reasoning: 0 };

/** The position before a reply's first character. */
export function beginningOf(messageId: number, attempt: number): Cursor {
  return { messageId, attempt, ...NOTHING, done: false };
}

/** The length of the text that a client at this position has not received. UTF-16 code units. */
export function missingLengthOf({ message, attempt }: MessageAttempt, seen: Cursor): number {
  const known = seen.messageId === message.id && seen.attempt === attempt ? seen : NOTHING;
  return message.content.length + message.reasoning.length - known.content - known.reasoning;
}

/** A message's events that a client has not received. @param seen null for the text alone */
export function missedOf({ message, attempt }: MessageAttempt, seen: Cursor | null): ParleyEvent[] {
  const same = seen?.messageId === message.id;
  if (same && seen.done) return [];
  const restarted = same && seen.attempt !== attempt;
  const beginning = [
    ...(seen && !same ? [messageCreated(message)] : []),
    ...(restarted ? [messageRestarted(message, attempt)] : []),
  ];
  if (message.role === 'user') return beginning;
  const text = textSince(message, attempt, same && !restarted ? seen : NOTHING);
  const end = message.status === 'streaming' ? [] : [messageCompleted(message, attempt)];
  return [...beginning, ...text, ...end];
}

/** The messages that a client was sent from the database. Their events may be published later. */
export class SentMessages {
  private readonly created = new Set<number>();
  private readonly ended = new Set<number>();

  /**
   * @param from the client's position before anything was written
   * @param to its position after all messages in between were written
   */
  constructor(
    private readonly from: Cursor | null,
    private readonly to: Cursor | null,
  ) {}

  add({ id, status }: MessageDto): void {
    this.created.add(id);
    if (status !== 'streaming') this.ended.add(id);
  }

  /** Whether the client was sent an event's content already: sending it would overwrite newer text. */
  covers({ type, body }: ParleyEvent): boolean {
    const { message_id, message } = body as { message_id?: number; message?: MessageDto };
    const id = message_id ?? message?.id;
    if (id === undefined) return false;
    return this.hasEnded(id) || (type === 'message.created' && (this.isWritten(id) || this.created.has(id)));
  }

  private hasEnded(id: number): boolean {
    const isLast = id === this.to?.messageId;
    return this.ended.has(id) || (isLast ? this.to!.done : this.isWritten(id));
  }

  private isWritten(id: number): boolean {
    return this.from !== null && this.to !== null && id > this.from.messageId && id <= this.to.messageId;
  }
}
