import { type EntityManager, LessThanOrEqual } from 'typeorm';
import { MessageFile } from './message-file.entity.js';
import { StoredFile } from './file.entity.js';

/** @returns false, locking nothing, if the file is no longer due or gone */
export async function lockDueRow(manager: EntityManager, id: number, dueAt: Date): Promise<boolean> {
  const due = { id, expiresAt: LessThanOrEqual(dueAt) };
  const { affected } = await manager.update(StoredFile, due, { expiresAt: dueAt });
  return affected === 1;
}

/** Deletes a file's row unless a message uses it. Callers have locked the row. @returns whether it was deleted */
export async function deleteUnusedRow(manager: EntityManager, id: number): Promise<boolean> {
  const use = manager.createQueryBuilder(MessageFile, 'mf').select('1').where('mf.fileId = :id');
  const query = manager
    .createQueryBuilder()
    .delete()
    .from(StoredFile)
    .where(`id = :id AND NOT EXISTS (${use.getQuery()})`, { id });
  const { affected } = await query.execute();
  return affected === 1;
}

/**
 * Schedules the removal of a conversation's files, except those that other conversations use. Callers have locked the
 * conversation's row, and delete it.
 */
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
