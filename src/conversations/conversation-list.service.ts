import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { ValidationFailedError } from '../common/errors/errors.js';
import { foldText } from '../common/text/fold-text.js';
import { firstFitting, MAX_PAGE_BYTES } from '../common/json/json-size.js';
import { Deployment } from '../database/deployment.entity.js';
import { RawEntityQuery, type Row } from '../database/raw-entity-query.js';
import { ConversationDto, ConversationListDto } from './conversation.dto.js';
import { Conversation } from './conversation.entity.js';
import { decodeCursor, encodeCursor, type ListPosition } from './list-cursor.js';
import { Message } from './messages/message.entity.js';
import type { ListConversationsQuery } from './query.dto.js';

type Statement = [sql: string, parameters: unknown[]];

const ORDER = 'ORDER BY c.pinned DESC, c.updated_at DESC, c.id DESC';
/** So many ids a cursor remembers; beyond, what is pinned, unpinned or active meanwhile may repeat or be left out. */
const MOST_GOT = 200;
/** An activity may be committed so long after its time, which is another node's, whose clock may differ. */
const SETTLED_AFTER_MS = 2000;
/** Of what has moved up since the page before, so many are looked at. */
const MOST_MOVED = 200;

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
    // Before the rows: what moves up in between is found by the next page.
    const settled = Date.now() - SETTLED_AFTER_MS;
    const moved = after ? await this.findMoved(user.id, query, after) : [];
    const [rest, total] = await Promise.all([this.read(user.id, query, after), this.count(user, query)]);
    const found = [...moved, ...rest];
    const dtos = found.slice(0, limit).map((conversation) => ConversationDto.from(conversation));
    const conversations = firstFitting(dtos, MAX_PAGE_BYTES);
    const page = found.slice(0, conversations.length);
    const before = after ?? { ...TOP, got: offset === 0 ? [] : null };
    const next = found.length > page.length ? nextPosition(before, settled, moved, page) : null;
    return {
      conversations,
      total,
      limit,
      offset,
      next_cursor: next && encodeCursor(next, scopeOf(user.id, query), this.deployment.id),
    };
  }

  /** Each reads ix_conversations_list backwards, so that nothing is sorted or passed over. */
  statements(userId: number, query: ListConversationsQuery, after: ListPosition | null): Statement[] {
    const { condition, parameters } = matching(userId, query);
    const select = `SELECT ${this.rows.columns} FROM conversations c WHERE ${condition}`;
    const count = query.limit + 1;
    if (!after) return [[`${select} ${ORDER} LIMIT ? OFFSET ?`, [...parameters, count, query.offset]]];
    const time = this.timeParameter(after.updatedAt);
    const place = 'c.pinned = ? AND c.updated_at <= ? AND (c.updated_at < ? OR c.id < ?)';
    const values = [...parameters, Number(after.pinned), time, time, after.id];
    const got = after.got ?? [];
    const unpinned = `c.pinned = 0 AND ${notIn(got)}`;
    return after.pinned
      ? [
          [`${select} AND ${place} ${ORDER} LIMIT ?`, [...values, count]],
          [`${select} AND ${unpinned} ${ORDER} LIMIT ?`, [...parameters, ...got, count]],
        ]
      : [[`${select} AND ${place} AND ${unpinned} ${ORDER} LIMIT ?`, [...values, ...got, count]]];
  }

  /** @returns one more than the limit, where there are */
  private async read(userId: number, query: ListConversationsQuery, after: ListPosition | null) {
    const found: Conversation[] = [];
    for (const statement of this.statements(userId, query, after)) {
      found.push(...(await this.query(statement)));
      if (found.length > query.limit) break;
    }
    return found.slice(0, query.limit + 1);
  }

  /**
   * Finds what was below a position and is above it now, by a message or a pin: the client has not got it yet.
   * @returns the pinned ones, then those with the oldest activity
   */
  private async findMoved(userId: number, query: ListConversationsQuery, after: ListPosition) {
    const { condition, parameters } = matching(userId, query);
    const got = after.got ?? [];
    const above = this.timeParameter(Math.max(after.since, after.updatedAt - 1));
    const select = `SELECT ${this.rows.columns} FROM conversations c
      WHERE ${condition} AND ${notIn(got)}`;
    const values = [...parameters, ...got];
    const pinned = `${select} AND c.pinned = 1 ${ORDER} LIMIT ${MOST_MOVED}`;
    const active = `${select} AND c.pinned = 0 AND c.updated_at > ? ORDER BY c.updated_at, c.id LIMIT ${MOST_MOVED}`;
    const candidates = after.got && got.length < MOST_GOT ? await this.query([pinned, values]) : [];
    if (!after.pinned) candidates.push(...(await this.query([active, [...values, above]])));
    const moved: Conversation[] = [];
    for (const each of candidates) if (await this.hasMoved(each, after)) moved.push(each);
    return moved;
  }

  /** Those that are still below come with the rest. */
  private async hasMoved(conversation: Conversation, after: ListPosition): Promise<boolean> {
    const isStillBelow =
      conversation.pinned === after.pinned && isBelow(after, conversation.updatedAt, conversation);
    if (isStillBelow || after.pinned) return !isStillBelow;
    return isBelow(after, await this.activityThen(conversation, after.since), conversation);
  }

  /** The newest activity by a time: that of the newest message by then, or the beginning. */
  private async activityThen({ id, updatedAt, createdAt }: Conversation, since: number): Promise<Date> {
    if (updatedAt.getTime() <= since) return updatedAt;
    const message = await this.database
      .getRepository(Message)
      .createQueryBuilder('message')
      .useIndex('ix_messages_conversation_id')
      .where('message.conversationId = :id AND message.createdAt <= :since', { id, since: new Date(since) })
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
    if (offset > 0) throw badField('offset', 'Must not be given beside a cursor.');
    const position = decodeCursor(cursor, scopeOf(id, query), this.deployment.id);
    if (!position) throw badField('cursor', 'Must be the next_cursor of a page of the same list.');
    return position;
  }

  private timeParameter(time: number): unknown {
    const column = this.database.getMetadata(Conversation).findColumnWithPropertyName('updatedAt')!;
    return this.database.driver.preparePersistentValue(new Date(time), column);
  }
}

const TOP = { pinned: true, updatedAt: 0, id: 0, since: 0 };

/** A page may have less of what has moved than there is: then the next one looks for it again. */
function nextPosition(
  before: ListPosition,
  settled: number,
  moved: Conversation[],
  page: Conversation[],
): ListPosition {
  const last = page.slice(moved.length).at(-1);
  const isCut = page.length < moved.length;
  const since = isCut ? before.since : settled;
  const got = page.filter(({ pinned, updatedAt }) => pinned || isCut || updatedAt.getTime() > since);
  return {
    ...before,
    ...(last && { pinned: last.pinned, updatedAt: last.updatedAt.getTime(), id: last.id }),
    since,
    got: before.got && [...before.got, ...got.map(({ id }) => id)].slice(0, MOST_GOT),
  };
}

const isBelow = (after: ListPosition, time: Date, { id }: Conversation) =>
  time.getTime() < after.updatedAt || (time.getTime() === after.updatedAt && id < after.id);

const notIn = (ids: number[]) =>
  ids.length > 0 ? `c.id NOT IN (${ids.map(() => '?').join(', ')})` : '1 = 1';

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
