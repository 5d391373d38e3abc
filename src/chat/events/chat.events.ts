import { ConversationDto } from '../../conversations/conversation.dto.js';
import type { Conversation } from '../../conversations/conversation.entity.js';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { cursorAfter, cursorText } from './cursor.js';
import type { ConversationEventDto, MessageDeltaDto, MessageEventDto } from './event.dto.js';

/** A body's JSON with `type` as its first field, for WebSocket frames and server-sent events. */
export function jsonWithType(type: string, json: string): string {
  return json === '{}' ? `{"type":"${type}"}` : `{"type":"${type}",${json.slice(1)}`;
}

export function messageCreated(message: MessageDto): ParleyEvent {
  const blank = message.role === 'assistant' ? blankReply(message) : message;
  return new ParleyEvent('message.created', bodyOf(blank), cursorTextAfter(blank, 1));
}

export function messageCompleted(message: MessageDto, attempt: number): ParleyEvent {
  return new ParleyEvent('message.completed', bodyOf(message), cursorTextAfter(message, attempt));
}

export function messageRestarted(message: MessageDto, attempt: number): ParleyEvent {
  const blank = blankReply(message);
  return new ParleyEvent('message.restarted', bodyOf(blank), cursorTextAfter(blank, attempt));
}

export function conversationUpdated(conversation: Conversation): ParleyEvent {
  const body = { conversation: ConversationDto.from(conversation) } satisfies ConversationEventDto;
  return new ParleyEvent('conversation.updated', body);
}

/** @param head of the delta's JSON */
export function messageDelta(
  delta: MessageDeltaDto & Record<string, unknown>,
  cursor: () => string,
  head = deltaHead(delta),
): ParleyEvent {
  return new DeltaEvent(delta, cursor, head);
}

/** The start of the JSON of a part's deltas, up to the offset. Joined to a flat string, unlike with `+`. */
export function deltaHead({
  conversation_id,
  message_id,
  part,
}: Omit<MessageDeltaDto, 'offset' | 'text'>): string {
  const fields = [`"conversation_id":${conversation_id}`, `"message_id":${message_id}`, `"part":"${part}"`];
  return ['{', fields.join(','), ',"offset":'].join('');
}

/** Encodes its JSON by hand: deltas are the most frequent events. */
class DeltaEvent extends ParleyEvent {
  constructor(
    private readonly delta: MessageDeltaDto & Record<string, unknown>,
    cursor: () => string,
    private readonly head: string,
  ) {
    super('message.delta', delta, cursor);
  }

  protected override encode(): string {
    return `${this.head}${this.delta.offset},"text":${JSON.stringify(this.delta.text)}}`;
  }
}

/** A reply before its first character, to which deltas from offset 0 are applied. */
function blankReply(message: MessageDto): MessageDto {
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message, {
    content: '',
    reasoning: '',
    status: 'streaming',
    finish_reason: null,
    error: null,
    usage: null,
    completed_at: null,
  });
}

function bodyOf(message: MessageDto): MessageEventDto & Record<string, unknown> {
  return { conversation_id: message.conversation_id, message };
}

function cursorTextAfter(message: MessageDto, attempt: number): string {
  return cursorText(cursorAfter(message, attempt));
}
