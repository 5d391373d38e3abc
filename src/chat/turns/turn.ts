import { foldText } from '../../common/text/fold-text.js';
import type { Conversation } from '../../conversations/conversation.entity.js';
import { MessageDto } from '../../conversations/messages/message.dto.js';
import { Message } from '../../conversations/messages/message.entity.js';
import { titleFromText } from './titles.js';

/** A message after the active branch's end. */
export interface Send extends Written {
  kind: 'send';
}

/** What a user wrote. */
export interface Written {
  content: string;
  /** Lower-cased: two spellings of a UUID are one. */
  clientMessageId: string | null;
  /** As the client wrote it, where that is not in lower case. */
  clientMessageSpelling?: string | null;
}

/** What a user asks for: a message, an edited one, or another reply to the same. */
export type TurnRequest =
  Send | ({ kind: 'edit'; messageId: number } & Written) | { kind: 'regenerate'; messageId: number };

export interface ReplyOrigin {
  nodeId: string;
  configId: number | null;
  modelName: string;
}

/** That an exchange be begun. */
export interface StartTurn<T extends TurnRequest = TurnRequest> {
  userId: number;
  conversationId: number;
  request: T;
  origin: ReplyOrigin;
}

export interface Turn {
  userMessage: MessageDto;
  assistantMessage: MessageDto;
  /** Whether this call made it; false where the same send had made it before. */
  fresh: boolean;
  /** As the exchange left it; null where it was made before. */
  conversation: Conversation | null;
}

type Place = Pick<StartTurn, 'userId' | 'conversationId'>;

export function newUserMessage(
  place: Place,
  parentId: number | null,
  { content, clientMessageId, clientMessageSpelling = null }: Written,
  now: Date,
): Message {
  return Object.assign(newMessage(place, parentId, now), {
    role: 'user',
    content,
    status: 'complete',
    clientMessageId,
    clientMessageSpelling,
    completedAt: now,
  });
}

export function newReply(place: Place, parentId: number, origin: ReplyOrigin, now: Date): Message {
  return Object.assign(newMessage(place, parentId, now), {
    role: 'assistant',
    content: '',
    status: 'streaming',
    streamingIn: place.conversationId,
    ...origin,
  });
}

function newMessage({ userId, conversationId }: Place, parentId: number | null, createdAt: Date): Message {
  const own = { userId, conversationId, parentId, createdAt };
  return Object.assign(new Message(), EMPTY, own);
}

/** What each message begins with. */
export const EMPTY = {
  active: true,
  reasoning: '',
  attempt: 1,
  streamingIn: null,
  nodeId: null,
  finishReason: null,
  errorCode: null,
  errorDetail: null,
  configId: null,
  modelName: null,
  promptTokens: null,
  completionTokens: null,
  totalTokens: null,
  usageEstimated: null,
  sources: null,
  clientMessageId: null,
  clientMessageSpelling: null,
  completedAt: null,
};

/** Has a conversation end in an exchange's reply. @param added how many of its messages are new */
export function advanceHead(
  conversation: Conversation,
  asked: Message,
  answer: Message,
  added: number,
): void {
  const first = asked.parentId === null && conversation.titleSource === 'default';
  const title = first ? titleFromText(asked.content) : null;
  Object.assign(conversation, {
    activeMessageId: answer.id,
    messageCount: conversation.messageCount + added,
    updatedAt: answer.createdAt,
    ...(title !== null && { title, titleKey: foldText(title) }),
  });
}

/** @param siblings by a message's id; where they are not told, it has none */
export function toTurn(
  asked: Message,
  answer: Message,
  siblings: Map<number, number[]>,
  conversation: Conversation | null,
): Turn {
  const dto = (entity: Message) => MessageDto.from(entity, siblings.get(entity.id) ?? [entity.id]);
  return {
    userMessage: dto(asked),
    assistantMessage: dto(answer),
    fresh: conversation !== null,
    conversation,
  };
}
