import { conversationRow, FIRST_ID } from './accounts.mjs';
import { insert } from './database.mjs';
import { someText } from './prose.mjs';

const ROWS_A_STATEMENT = 2000;
const STATEMENTS_A_TRANSACTION = 10;
const COLUMNS =
  'id, conversation_id, user_id, parent_id, active, role, content, reasoning, status, attempt, created_at, completed_at';
const TIME = "'2026-01-31 09:30:00.000'";
let lastId = FIRST_ID - 1;

/**
 * Inserts a conversation of consecutive messages. Values are literals, because binding those of a million rows takes
 * minutes.
 * @returns ids of the conversation and of its first and last message
 */
export async function longConversation({ database, accounts }, user, length) {
  const [{ conversationId }] = await accounts.peers(1);
  await database.query('UPDATE conversations SET user_id = ? WHERE id = ?', [user.id, conversationId]);
  const firstId = lastId + 1;
  await inTransactions(database, Math.ceil(length / ROWS_A_STATEMENT), async (statement) => {
    const from = statement * ROWS_A_STATEMENT;
    const rows = Array.from({ length: Math.min(ROWS_A_STATEMENT, length - from) }, (_, index) =>
      messageRow(firstId + from + index, firstId, conversationId, user.id),
    );
    await database.query(`INSERT INTO messages (${COLUMNS}) VALUES ${rows.join(',')}`);
  });
  lastId += length;
  const set = 'UPDATE conversations SET message_count = ?, active_message_id = ? WHERE id = ?';
  await database.query(set, [length, lastId, conversationId]);
  return { id: conversationId, firstId, lastId };
}

function messageRow(id, firstId, conversationId, userId) {
  const parentId = id === firstId ? 'NULL' : id - 1;
  const role = (id - firstId) % 2 === 0 ? 'user' : 'assistant';
  const text = someText(id - firstId);
  return `(${id},${conversationId},${userId},${parentId},1,'${role}','${text}','','complete',1,${TIME},${TIME})`;
}

/** @param from first id of a free range */
export async function manyConversations({ database }, user, count, from) {
  const rows = Array.from({ length: count }, (_, index) => conversationRow(from + index, user.id));
  await inTransactions(database, 1, () => insert(database, 'conversations', rows));
  await database.query('UPDATE users SET conversation_count = ? WHERE id = ?', [count, user.id]);
}

async function inTransactions(database, statements, run) {
  await database.hasten();
  for (let statement = 0; statement < statements; statement++) {
    if (statement % STATEMENTS_A_TRANSACTION === 0) await database.query('BEGIN');
    await run(statement);
    const isLast = statement === statements - 1 || (statement + 1) % STATEMENTS_A_TRANSACTION === 0;
    if (isLast) await database.query('COMMIT');
  }
}
