import type { MessageDto } from '../../conversations/messages/message.dto.js';
import type { ParleyEvent } from '../../events/parley-event.js';
import { messageCompleted, messageCreated, messageRestarted } from '../events/chat.events.js';
import type { Cursor } from '../events/cursor.js';
import { textSince } from '../replies/streamed-text.js';

export interface Attempted {
  message: MessageDto;
  attempt: number;
}

/** Writes what was missed, as fast as its client reads. */
export interface EventWriter {
  /** @returns false once the client has left */
  write(event: ParleyEvent): Promise<boolean>;
}

const NOTHING = { content: 0, reasoning: 0 };

/** A reply's place before its first character. */
export function beginningOf(messageId: number, attempt: number): Cursor {
  return { messageId, attempt, ...NOTHING, done: false };
}

/** The place of a client that has a message as it is. */
export function placeAt({ message, attempt }: Attempted): Cursor {
  const { id: messageId, content, reasoning, status } = message;
  return {
    messageId,
    attempt,
    content: content.length,
    reasoning: reasoning.length,
    done: status !== 'streaming',
  };
}

/** How much text a client at this place lacks of a message. UTF-16 code units. */
export function lackingOf({ message, attempt }: Attempted, seen: Cursor): number {
  const known = seen.messageId === message.id && seen.attempt === attempt ? seen : NOTHING;
  return message.content.length + message.reasoning.length - known.content - known.reasoning;
}

/** A message's events that a client at this place lacks. @param seen null where it gets the text alone */
export function missedOf({ message, attempt }: Attempted, seen: Cursor | null): ParleyEvent[] {
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

/** What a client has been told of from the database, which may be ahead of events that are still on their way. */
export class ToldMessages {
  private readonly created = new Set<number>();
  private readonly ended = new Set<number>();

  /** @param from where the client stood, @param to where it stands once all in between was written */
  constructor(
    private readonly from: Cursor | null,
    private readonly to: Cursor | null,
  ) {}

  add({ id, status }: MessageDto): void {
    this.created.add(id);
    if (status !== 'streaming') this.ended.add(id);
  }

  /** Whether an event is late: what is said twice would overwrite what the client has by now. */
  cover({ type, body }: ParleyEvent): boolean {
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
