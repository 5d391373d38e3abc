import type { EntityManager } from 'typeorm';
import { isHighSurrogate } from '../../common/text/utf16.js';
import { Message } from '../../conversations/messages/message.entity.js';

/** Limits per statement: SQLite binds at most 32,766 values, MariaDB accepts 16 MiB, escaped. */
const MAX_ROWS = 1000;
/** UTF-16 code units. */
export const MAX_LENGTH = 1024 * 1024;

/** Groups chunks by statement. */
export function* groupByStatement<T extends { text: string }>(chunks: T[]): Generator<T[]> {
  let rows: T[] = [];
  let length = 0;
  for (const chunk of chunks) {
    const isTooLong = rows.length > 0 && length + chunk.text.length > MAX_LENGTH;
    if (rows.length === MAX_ROWS || isTooLong) {
      yield rows;
      rows = [];
      length = 0;
    }
    rows.push(chunk);
    length += chunk.text.length;
  }
  if (rows.length > 0) yield rows;
}

/**
 * Ends a reply whose text does not fit in one statement of MySQL. The first statement locks the row, so that concurrent
 * attempts to end the reply wait.
 */
export async function endInPieces(
  manager: EntityManager,
  owned: { id: number; status: 'streaming'; nodeId: string },
  { content, reasoning, ...end }: { content: string; reasoning: string },
): Promise<{ affected?: number }> {
  await manager.update(Message, owned, { content: '', reasoning: '' });
  for (const [part, text] of Object.entries({ content, reasoning })) {
    const sql = `UPDATE messages SET ${part} = CONCAT(${part}, ?) WHERE id = ? AND status = ? AND node_id = ?`;
    for (const piece of pieces(text)) await manager.query(sql, [piece, owned.id, owned.status, owned.nodeId]);
  }
  return manager.update(Message, owned, end);
}

/** Never splits a surrogate pair, whose halves MySQL would replace. */
function* pieces(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    const cut = start + MAX_LENGTH;
    const end = cut < text.length && isHighSurrogate(text.charCodeAt(cut - 1)) ? cut - 1 : cut;
    yield text.slice(start, end);
    start = end;
  }
}
