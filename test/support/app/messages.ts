import type { EntityManager } from 'typeorm';
import { EMPTY } from '../../../src/chat/turns/new-messages.js';
import { Conversation } from '../../../src/conversations/conversation.entity.js';
import { Message } from '../../../src/conversations/messages/message.entity.js';

/** Defaults of a message row. */
export const BLANK: Partial<Message> = { ...EMPTY, content: '', status: 'complete' };

/** Inserts messages of one branch as a chat leaves them. @returns their ids */
export async function writeMessages(
  manager: EntityManager,
  conversationId: number,
  ...messages: Partial<Message>[]
): Promise<number[]> {
  const { userId } = await manager.findOneByOrFail(Conversation, { id: conversationId });
  let parentId: number | null = null;
  const ids: number[] = [];
  for (const [index, message] of messages.entries()) {
    const row: Message = manager.create(Message, {
      ...BLANK,
      conversationId,
      userId,
      parentId,
      role: index % 2 === 0 ? 'user' : 'assistant',
      createdAt: new Date(),
      completedAt: new Date(),
      ...message,
    });
    const { id } = await manager.save(row);
    parentId = id;
    ids.push(id);
  }
  return ids;
}
