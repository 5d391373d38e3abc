import type { EntityManager } from 'typeorm';
import { Message } from './message.entity.js';

/** Ids of a message and its siblings, ascending. The message's id alone if it was deleted. */
export async function siblingIds(
  manager: EntityManager,
  { id, conversationId, parentId }: Message,
): Promise<number[]> {
  const rows = await manager
    .createQueryBuilder(Message, 'm')
    .select('m.id', 'id')
    .where('m.conversation_id = :conversationId', { conversationId })
    .andWhere(parentId === null ? 'm.parent_id IS NULL' : 'm.parent_id = :parentId', { parentId })
    .orderBy('m.id')
    .getRawMany<{ id: number | string }>();
  return rows.length === 0 ? [id] : rows.map((row) => Number(row.id));
}
