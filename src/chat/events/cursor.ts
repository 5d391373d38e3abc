import type { MessageDto } from '../../conversations/messages/message.dto.js';

/**
 * A client's position in a conversation: its newest message, and how much of it was received. Sufficient because one
 * reply runs in a conversation at a time and ids rise. As text, the id of an SSE event.
 */
export interface Cursor {
  messageId: number;
  attempt: number;
  /** UTF-16 code units of each part. */
  content: number;
  reasoning: number;
  done: boolean;
}

const PATTERN = /^(\d{1,16})\.(\d{1,9})\.(\d{1,9})\.(\d{1,9})(\.done)?$/;

export function cursorText({ messageId, attempt, content, reasoning, done }: Cursor): string {
  return `${messageId}.${attempt}.${content}.${reasoning}${done ? '.done' : ''}`;
}

/** @returns null for text that is no cursor */
export function parseCursor(text: string | undefined): Cursor | null {
  const match = PATTERN.exec(text ?? '');
  if (!match) return null;
  const [messageId, attempt, content, reasoning] = match.slice(1, 5).map(Number) as [
    number,
    number,
    number,
    number,
  ];
  return { messageId, attempt, content, reasoning, done: match[5] !== undefined };
}

/** The position of a client that has received the whole message as given. */
export function cursorAfter(message: MessageDto, attempt: number): Cursor {
  return {
    messageId: message.id,
    attempt,
    content: message.content.length,
    reasoning: message.reasoning.length,
    done: message.status !== 'streaming',
  };
}
