import { Message } from '../../conversations/messages/message.entity.js';
import type { ReplyOrigin, StartTurn, UserText } from './turn.js';

type Owner = Pick<StartTurn, 'userId' | 'conversationId'>;

export function newUserMessage(
  owner: Owner,
  parentId: number | null,
  { content, clientMessageId, clientMessageSpelling = null }: UserText,
  now: Date,
): Message {
  return Object.assign(newMessage(owner, parentId, now), {
    role: 'user',
    content,
    status: 'complete',
    clientMessageId,
    clientMessageSpelling,
    completedAt: now,
  });
}

export function newReply(owner: Owner, parentId: number, origin: ReplyOrigin, now: Date): Message {
  return Object.assign(newMessage(owner, parentId, now), {
    role: 'assistant',
    content: '',
    status: 'streaming',
    streamingIn: owner.conversationId,
    ...origin,
  });
}

function newMessage({ userId, conversationId }: Owner, parentId: number | null, createdAt: Date): Message {
  return Object.assign(new Message(), EMPTY, { userId, conversationId, parentId, createdAt });
}

/** Initial values of optional columns. The raw insert needs all of them. */
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
