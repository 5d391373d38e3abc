import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Repository, SelectQueryBuilder } from 'typeorm';
import { foldText, isAscii } from '../../common/text/fold-text.js';
import { firstFitting } from '../../common/json/json-size.js';
import { isMysql } from '../../database/data-source.js';
import { Message } from '../messages/message.entity.js';
import { type Hit, MessageMatcher, type MatchedRow, READ_CHARACTERS } from './message-matcher.js';
import { ownMessages } from '../messages/own-messages.js';
import type { SearchQuery } from '../query.dto.js';
import { bucketsOf } from './index/n-grams.js';
import { hasGaps, SearchIndex, SearchSizes, type Span, spansOf } from './index/search-index.js';
import { SearchIndexer } from './index/search-indexer.js';

/** Messages that are read in one statement, of those that may have the text: some, and then more. */
const FIRST_READ = 50;
const LAST_READ = 400;

const BYTES_A_READ = 4 * 1024 * 1024;
/** SQLite knows it without reading the text. */
const BYTES = 'OCTET_LENGTH(message.content)';

interface SizedRow {
  id: number;
  bytes: number;
}

const bytesOf = ({ bytes }: SizedRow) => bytes;

/** Finds a user's messages that have a text: what segments tell of by them, and the others by a scan. */
@Injectable()
export class MessageSearch {
  private readonly matcher: MessageMatcher;

  constructor(
    @InjectRepository(Message) private readonly messages: Repository<Message>,
    private readonly index: SearchIndex,
    private readonly indexer: SearchIndexer,
    private readonly sizes: SearchSizes,
  ) {
    this.matcher = new MessageMatcher(messages);
  }

  /** The newest first, and one more than the limit, where there are: it reads no further back than that takes. */
  async find(userId: number, { q, limit, before_id }: SearchQuery): Promise<Hit[]> {
    const hits: Hit[] = [];
    const key = foldText(q);
    const segments = await this.index.list(userId);
    const buckets = bucketsOf(key);
    for (const span of spansOf(segments, before_id ?? Number.MAX_SAFE_INTEGER)) {
      const ids = span.segments.length > 0 ? await this.index.candidates(span.segments, buckets) : null;
      const missing = limit + 1 - hits.length;
      const found = ids
        ? await this.check(userId, key, below(span.end, ids), missing)
        : await this.scan(userId, key, span, missing);
      hits.push(...found);
      if (hits.length > limit) break;
      await nextTurn();
    }
    if (hasGaps(segments)) this.indexer.request(userId);
    return hits;
  }

  /** Goes through all messages of a span. Where they are many, there had better be a segment. */
  private async scan(userId: number, key: string, span: Span, limit: number): Promise<Hit[]> {
    const hits: Hit[] = [];
    let isLong = false;
    for (let { end } = span; end > span.start && hits.length < limit;) {
      const start = await this.startOfStretch(userId, { start: span.start, end });
      hits.push(...(await this.scanStretch(userId, key, { start, end }, limit - hits.length)));
      isLong ||= start > span.start;
      end = start;
      await nextTurn(); // SQLite answers within one, and another stretch would be read in the same
    }
    if (isLong) this.indexer.request(userId);
    return hits;
  }

  /** @returns the id that the last stretch of a span begins with */
  private async startOfStretch(userId: number, span: { start: number; end: number }): Promise<number> {
    const own = ownMessages(this.messages, userId, 'DESC');
    const inSpan = own
      .select('message.id', 'id')
      .andWhere('message.id >= :start AND message.id < :end', span);
    if (!this.isMysql) return this.startOfShortStretch(inSpan, span.start);
    const first = await inSpan
      .offset(this.sizes.stretchMessages - 1)
      .limit(1)
      .getRawOne<{ id: number | string }>();
    return Number(first?.id ?? span.start);
  }

  /** As many messages as SQLite, which reads in this thread, looks through in a few milliseconds. */
  private async startOfShortStretch(inSpan: SelectQueryBuilder<Message>, start: number): Promise<number> {
    const most = this.sizes.stretchMessages;
    const rows = await inSpan.addSelect(BYTES, 'bytes').limit(most).getRawMany<SizedRow>();
    const stretch = firstFitting(rows, BYTES_A_READ, bytesOf);
    const isAll = rows.length < most && stretch.length === rows.length;
    return isAll ? start : stretch.at(-1)!.id;
  }

  /** As many of the first ids. */
  private async readable(userId: number, ids: number[]): Promise<number[]> {
    if (this.isMysql) return ids;
    const rows = await this.queryIds(userId, ids)
      .select('message.id', 'id')
      .addSelect(BYTES, 'bytes')
      .getRawMany<SizedRow>();
    const last = firstFitting(rows, BYTES_A_READ, bytesOf).at(-1);
    return last && last !== rows.at(-1) ? ids.slice(0, ids.indexOf(last.id) + 1) : ids;
  }

  private get isMysql(): boolean {
    return isMysql(this.messages.manager.dataSource);
  }

  private async scanStretch(
    userId: number,
    key: string,
    { start, end }: { start: number; end: number },
    limit: number,
  ): Promise<Hit[]> {
    const hits: Hit[] = [];
    for (let below = end, count = FIRST_READ; ; count = Math.min(2 * count, LAST_READ)) {
      const query = this.queryStretch(userId, key, { start, end: below }).limit(count);
      const rows = await query.getRawMany<MatchedRow>();
      hits.push(...(await this.matcher.match(rows, key, limit - hits.length)));
      if (rows.length < count || hits.length === limit) return hits;
      below = Number(rows.at(-1)!.id);
    }
  }

  queryStretch(
    userId: number,
    key: string,
    stretch: { start: number; end: number },
  ): SelectQueryBuilder<Message> {
    const own = ownMessages(this.messages, userId, 'DESC');
    return this.mayHave(own.andWhere('message.id >= :start AND message.id < :end', stretch), key);
  }

  /** Looks at messages that may have the text, the newest first. */
  private async check(userId: number, key: string, ids: number[], limit: number): Promise<Hit[]> {
    const hits: Hit[] = [];
    for (let at = 0, count = FIRST_READ; at < ids.length && hits.length < limit;) {
      const some = await this.readable(userId, ids.slice(at, at + count));
      const rows = await this.queryHits(userId, key, some).getRawMany<MatchedRow>();
      hits.push(...(await this.matcher.match(rows, key, limit - hits.length)));
      at += some.length;
      count = Math.min(2 * count, LAST_READ);
    }
    return hits;
  }

  queryHits(userId: number, key: string, ids: number[]): SelectQueryBuilder<Message> {
    return this.mayHave(this.queryIds(userId, ids), key);
  }

  private queryIds(userId: number, ids: number[]): SelectQueryBuilder<Message> {
    return this.messages
      .createQueryBuilder('message')
      .where('message.id IN (:...ids) AND message.userId = :userId', { ids, userId })
      .orderBy('message.id', 'DESC');
  }

  /** Leaves to the database what it folds as foldText does: text of ASCII alone. A fold to ASCII may be of other text. */
  private mayHave(messages: SelectQueryBuilder<Message>, key: string): SelectQueryBuilder<Message> {
    const isOther = this.isMysql
      ? 'LENGTH(message.content) <> CHAR_LENGTH(message.content)'
      : 'LENGTH(CAST(message.content AS BLOB)) <> LENGTH(message.content)';
    return messages
      .select('message.id', 'id')
      .addSelect(`SUBSTR(message.content, 1, ${READ_CHARACTERS})`, 'beginning')
      .andWhere(isAscii(key) ? `(${isOther} OR INSTR(LOWER(message.content), :key) > 0)` : isOther, { key });
  }
}

const below = (end: number, ids: number[]) => ids.filter((id) => id < end);
