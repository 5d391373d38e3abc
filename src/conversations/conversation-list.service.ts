import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { invalidField } from '../common/errors/errors.js';
import { foldText } from '../common/text/fold-text.js';
import { firstFitting, MAX_PAGE_BYTES } from '../common/json/json-size.js';
import { Deployment } from '../database/deployment.entity.js';
import { RawEntityQuery, type Row } from '../database/raw-entity-query.js';
import { ConversationDto, ConversationListDto } from './conversation.dto.js';
import { Conversation } from './conversation.entity.js';
import { decodeCursor, encodeCursor } from './list-cursor.js';
import {
  isBelow,
  type ListPosition,
  MAX_LISTED_IDS,
  positionAfter,
  settledNow,
  startOfList,
} from './list-position.js';
import { Message } from './messages/message.entity.js';
import type { ListConversationsQuery } from './query.dto.js';

type Statement = [sql: string, parameters: unknown[]];

const ORDER = 'ORDER BY c.pinned DESC, c.updated_at DESC, c.id DESC';
/** Conversations that moved up are checked one by one. */
const MAX_MOVED = 200;

/** Lists a user's conversations: pinned first, then newest activity. */
@Injectable()
export class ConversationList {
  private readonly rows: RawEntityQuery<Conversation>;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly deployment: Deployment,
  ) {
    this.rows = new RawEntityQuery(database, Conversation, 'c');
  }

  async list(user: User, query: ListConversationsQuery): Promise<ConversationListDto> {
    const { limit, offset } = query;
    const after = this.positionOf(user, query);
    // Taken before the rows are read, so that the next page finds what moves up meanwhile.
    const settledAt = settledNow();
    const moved = after ? await this.findMoved(user.id, query, after) : [];
    const [rest, total] = await Promise.all([this.read(user.id, query, after), this.count(user, query)]);
    const found = [...moved, ...rest];
    const dtos = found.slice(0, limit).map((conversation) => ConversationDto.from(conversation));
    const conversations = firstFitting(dtos, MAX_PAGE_BYTES);
    const page = found.slice(0, conversations.length);
    const before = after ?? startOfList(offset === 0);
    const next = found.length > page.length ? positionAfter(before, settledAt, moved, page) : null;
    return {
      conversations,
      total,
      limit,
      offset,
      next_cursor: next && encodeCursor(next, scopeOf(user.id, query), this.deployment.id),
    };
  }

  /** Statements to run until the page is full. Each reads ix_conversations_list backwards, without sorting. */
  statements(userId: number, query: ListConversationsQuery, after: ListPosition | null): Statement[] {
    const { condition, parameters } = matching(userId, query);
    const select = `SELECT ${this.rows.columns} FROM conversations c WHERE ${condition}`;
    const count = query.limit + 1;
    if (!after) return [[`${select} ${ORDER} LIMIT ? OFFSET ?`, [...parameters, count, query.offset]]];
    const time = this.timeParameter(after.updatedAt);
    const below = 'c.pinned = ? AND c.updated_at <= ? AND (c.updated_at < ? OR c.id < ?)';
    const values = [...parameters, Number(after.pinned), time, time, after.id];
    const listed = after.listedIds ?? [];
    const unpinned = `c.pinned = 0 AND ${notIn(listed)}`;
    return after.pinned
      ? [
          [`${select} AND ${below} ${ORDER} LIMIT ?`, [...values, count]],
          [`${select} AND ${unpinned} ${ORDER} LIMIT ?`, [...parameters, ...listed, count]],
        ]
      : [[`${select} AND ${below} AND ${unpinned} ${ORDER} LIMIT ?`, [...values, ...listed, count]]];
  }

  /** @returns one more than the limit if there are more */
  private async read(userId: number, query: ListConversationsQuery, after: ListPosition | null) {
    const found: Conversation[] = [];
    for (const statement of this.statements(userId, query, after)) {
      found.push(...(await this.query(statement)));
      if (found.length > query.limit) break;
    }
    return found.slice(0, query.limit + 1);
  }

  /**
   * Finds conversations that moved from below a position to above it, by a message or a pin, and are not listed yet.
   * @returns pinned ones first, then oldest activity
   */
  private async findMoved(userId: number, query: ListConversationsQuery, after: ListPosition) {
    const { condition, parameters } = matching(userId, query);
    const listed = after.listedIds ?? [];
    const above = this.timeParameter(Math.max(after.settledAt, after.updatedAt - 1));
    const select = `SELECT ${this.rows.columns} FROM conversations c
      WHERE ${condition} AND ${notIn(listed)}`;
    const values = [...parameters, ...listed];
    const pinned = `${select} AND c.pinned = 1 ${ORDER} LIMIT ${MAX_MOVED}`;
    const active = `${select} AND c.pinned = 0 AND c.updated_at > ? ORDER BY c.updated_at, c.id LIMIT ${MAX_MOVED}`;
    const candidates =
      after.listedIds && listed.length < MAX_LISTED_IDS ? await this.query([pinned, values]) : [];
    if (!after.pinned) candidates.push(...(await this.query([active, [...values, above]])));
    const moved: Conversation[] = [];
    for (const candidate of candidates) if (await this.hasMoved(candidate, after)) moved.push(candidate);
    return moved;
  }

  /** Conversations that are still below the position are read with the rest. */
  private async hasMoved(conversation: Conversation, after: ListPosition): Promise<boolean> {
    const isStillBelow =
      conversation.pinned === after.pinned && isBelow(after, conversation.updatedAt, conversation);
    if (isStillBelow || after.pinned) return !isStillBelow;
    return isBelow(after, await this.activityAt(conversation, after.settledAt), conversation);
  }

  /** The activity as of a time: the newest message until then, or the creation. */
  private async activityAt({ id, updatedAt, createdAt }: Conversation, time: number): Promise<Date> {
    if (updatedAt.getTime() <= time) return updatedAt;
    const message = await this.database
      .getRepository(Message)
      .createQueryBuilder('message')
      .useIndex('ix_messages_conversation_id')
      .where('message.conversationId = :id AND message.createdAt <= :time', { id, time: new Date(time) })
      .orderBy('message.id', 'DESC')
      .limit(1)
      .getOne();
    return message?.createdAt ?? createdAt;
  }

  private async query([sql, parameters]: Statement): Promise<Conversation[]> {
    const rows = await this.database.query<Row[]>(sql, parameters);
    return rows.map((row) => this.rows.read(row));
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
    if (offset > 0) throw invalidField('offset', 'Must not be given beside a cursor.');
    const position = decodeCursor(cursor, scopeOf(id, query), this.deployment.id);
    if (!position) throw invalidField('cursor', 'Must be the next_cursor of a page of the same list.');
    return position;
  }

  private timeParameter(time: number): unknown {
    const column = this.database.getMetadata(Conversation).findColumnWithPropertyName('updatedAt')!;
    return this.database.driver.preparePersistentValue(new Date(time), column);
  }
}

const notIn = (ids: number[]) =>
  ids.length > 0 ? `c.id NOT IN (${ids.map(() => '?').join(', ')})` : '1 = 1';

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
