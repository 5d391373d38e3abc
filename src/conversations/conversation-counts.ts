import type { EntityManager } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { Conversation } from './conversation.entity.js';

/** Updates the user's count of archived or other conversations, in the transaction that changes it. */
export async function countConversations(
  manager: EntityManager,
  userId: number,
  { archived, by }: { archived: boolean; by: number },
): Promise<void> {
  await manager.increment(User, { id: userId }, archived ? 'archivedCount' : 'conversationCount', by);
}

/** Archives a conversation or takes it out of the archive, and updates both counts. */
export async function setArchived(
  manager: EntityManager,
  userId: number,
  id: number,
  archived: boolean,
): Promise<void> {
  const { affected } = await manager.update(Conversation, { id, userId, archived: !archived }, { archived });
  if (!affected) return;
  await countConversations(manager, userId, { archived, by: 1 });
  await countConversations(manager, userId, { archived: !archived, by: -1 });
}
