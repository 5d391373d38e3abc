import type { MessageDto } from '../conversations/message.dto.js';
import type { ParleyEvent } from '../events/event-hub.js';
import { messageCompleted, messageCreated, messageRestarted } from './chat.events.js';
import type { Cursor } from './cursor.js';
import { textSince } from './reply-text.js';

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
