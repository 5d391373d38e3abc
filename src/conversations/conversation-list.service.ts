import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { User } from '../auth/user.entity.js';
import { ValidationFailedError } from '../common/errors.js';
import { foldText } from '../common/fold-text.js';
import { firstFitting, MAX_PAGE_BYTES } from '../common/json-size.js';
import { Deployment } from '../database/deployment.entity.js';
import { EntityReader, type Row } from '../database/entity-reader.js';
import { ConversationDto, ConversationListDto } from './conversation.dto.js';
import { Conversation } from './conversation.entity.js';
import { decodeCursor, encodeCursor, type ListPosition } from './list-cursor.js';
import type { ListConversationsQuery } from './query.dto.js';

type Statement = [sql: string, parameters: unknown[]];

const ORDER = 'ORDER BY c.pinned DESC, c.updated_at DESC, c.id DESC';

/** Lists a user's conversations: pinned first, then newest activity. */
@Injectable()
export class ConversationList {
  private readonly rows: EntityReader<Conversation>;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly deployment: Deployment,
  ) {
    this.rows = new EntityReader(database, Conversation, 'c');
  }

  async list(user: User, query: ListConversationsQuery): Promise<ConversationListDto> {
    const after = this.positionOf(user, query);
    const [found, total] = await Promise.all([this.read(user.id, query, after), this.count(user, query)]);
    const dtos = found.slice(0, query.limit).map((conversation) => ConversationDto.from(conversation));
    const conversations = firstFitting(dtos, MAX_PAGE_BYTES);
    const last = found[conversations.length - 1];
    return {
      conversations,
      total,
      limit: query.limit,
      offset: query.offset,
      next_cursor: last && found.length > conversations.length ? this.cursorAfter(last, query) : null,
    };
  }

  /** Each reads ix_conversations_list backwards, so that nothing is sorted or passed over. */
  statements(userId: number, query: ListConversationsQuery, after: ListPosition | null): Statement[] {
    const { condition, parameters } = matching(userId, query);
    const select = `SELECT ${this.rows.columns} FROM conversations c WHERE ${condition}`;
    if (!after)
      return [[`${select} ${ORDER} LIMIT ? OFFSET ?`, [...parameters, query.limit + 1, query.offset]]];
    const time = this.timeParameter(after.updatedAt);
    const place = 'c.pinned = ? AND c.updated_at <= ? AND (c.updated_at < ? OR c.id < ?)';
    const values = [...parameters, Number(after.pinned), time, time, after.id];
    const rest: Statement = [`${select} AND ${place} ${ORDER} LIMIT ?`, [...values, query.limit + 1]];
    const unpinned: Statement = [
      `${select} AND c.pinned = 0 ${ORDER} LIMIT ?`,
      [...parameters, query.limit + 1],
    ];
    return after.pinned ? [rest, unpinned] : [rest];
  }

  /** @returns one more than the limit, where there are */
  private async read(userId: number, query: ListConversationsQuery, after: ListPosition | null) {
    const found: Conversation[] = [];
    for (const [sql, parameters] of this.statements(userId, query, after)) {
      const rows = await this.database.query<Row[]>(sql, parameters);
      found.push(...rows.map((row) => this.rows.read(row)));
      if (found.length > query.limit) break;
    }
    return found.slice(0, query.limit + 1);
  }

  private async count(user: User, query: ListConversationsQuery): Promise<number> {
    if (query.q === undefined) return query.archived ? user.archivedCount : user.conversationCount;
    const { condition, parameters } = matching(user.id, query);
    const sql = `SELECT COUNT(*) AS total FROM conversations c WHERE ${condition}`;
    const [row] = await this.database.query<Row[]>(sql, parameters);
    return Number(row!.total);
  }

  /** @throws {ValidationFailedError} */
  private positionOf({ id }: User, query: ListConversationsQuery): ListPosition | null {
    const { cursor, offset } = query;
    if (cursor === undefined) return null;
    if (offset > 0) throw badField('offset', 'Must not be given beside a cursor.');
    const position = decodeCursor(cursor, scopeOf(id, query), this.deployment.id);
    if (!position) throw badField('cursor', 'Must be the next_cursor of a page of the same list.');
    return position;
  }

  private cursorAfter(
    { userId, pinned, updatedAt, id }: Conversation,
    query: ListConversationsQuery,
  ): string {
    const position = { pinned, updatedAt: updatedAt.getTime(), id };
    return encodeCursor(position, scopeOf(userId, query), this.deployment.id);
  }

  private timeParameter(time: number): unknown {
    const column = this.database.getMetadata(Conversation).findColumnWithPropertyName('updatedAt')!;
    return this.database.driver.preparePersistentValue(new Date(time), column);
  }
}

const badField = (field: string, message: string) => new ValidationFailedError([{ field, message }]);

const scopeOf = (userId: number, { archived = false, q = '' }: ListConversationsQuery) => [
  userId,
  archived,
  foldText(q),
];

function matching(userId: number, { archived = false, q }: ListConversationsQuery) {
  const condition = 'c.user_id = ? AND c.archived = ?';
  const parameters = [userId, Number(archived)];
  return q === undefined
    ? { condition, parameters }
    : { condition: `${condition} AND INSTR(c.title_key, ?) > 0`, parameters: [...parameters, foldText(q)] };
}
