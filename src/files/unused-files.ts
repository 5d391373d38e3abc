import type { EntityManager } from 'typeorm';
import { MessageFile } from './message-file.entity.js';
import { StoredFile } from './file.entity.js';

/** Deletes a file's row unless a message uses it. @returns whether it was deleted */
export async function deleteUnusedRow(manager: EntityManager, id: number, dueAt?: Date): Promise<boolean> {
  const use = manager.createQueryBuilder(MessageFile, 'mf').select('1').where('mf.fileId = :id');
  const query = manager
    .createQueryBuilder()
    .delete()
    .from(StoredFile)
    .where(`id = :id AND NOT EXISTS (${use.getQuery()})`, { id });
  if (dueAt) query.andWhere('expires_at <= :dueAt', { dueAt });
  const { affected } = await query.execute();
  return affected === 1;
}

/** Has the files of a conversation removed unless other conversations use them. Call before it is deleted. */
export async function expireFilesOf(manager: EntityManager, conversationId: number): Promise<void> {
  const used = manager
    .createQueryBuilder(MessageFile, 'mf')
    .select('mf.fileId')
    .where('mf.conversationId = :conversationId');
  await manager
    .createQueryBuilder()
    .update(StoredFile)
    .set({ expiresAt: new Date() })
    .where(`id IN (${used.getQuery()})`, { conversationId })
    .execute();
}
