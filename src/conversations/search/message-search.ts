import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { setImmediate } from 'node:timers/promises';
import type { Repository, SelectQueryBuilder } from 'typeorm';
import { firstFitting } from '../../common/json/json-size.js';
import { foldText, isAscii } from '../../common/text/fold-text.js';
import { isMysql } from '../../database/data-source.js';
import { Message } from '../messages/message.entity.js';
import { ownMessages } from '../messages/own-messages.js';
import type { SearchQuery } from '../query.dto.js';
import { type IdRange, SearchIndex } from './index/search-index.js';
import { BEGINNING_CHARACTERS, type Hit, MessageMatcher, type MatchRow } from './message-matcher.js';

/** Messages per statement: doubled from the first to the largest. */
const FIRST_READ = 50;
const LARGEST_READ = 400;

const BYTES_PER_READ = 4 * 1024 * 1024;
/** SQLite computes it without reading the text. */
const BYTES = 'OCTET_LENGTH(message.content)';

interface SizedRow {
  id: number;
  bytes: number;
}

const bytesOf = ({ bytes }: SizedRow) => bytes;

/** Size of a scan; tests provide a smaller one. */
@Injectable()
export class ScanSizes {
  /** Messages per statement: a few milliseconds on SQLite, whose statements block the event loop. */
  readonly stretchMessages: number = 5000;
}

/** Finds a user's messages that contain a text: among the index's candidates, and by scanning the rest. */
@Injectable()
export class MessageSearch {
  private readonly matcher: MessageMatcher;

  constructor(
    @InjectRepository(Message) private readonly messages: Repository<Message>,
    private readonly index: SearchIndex,
    private readonly sizes: ScanSizes,
  ) {
    this.matcher = new MessageMatcher(messages);
  }

  /** @returns hits, newest first: one more than the limit if there are more */
  async find(userId: number, { q, limit, before_id }: SearchQuery): Promise<Hit[]> {
    const hits: Hit[] = [];
    const key = foldText(q);
    for await (const range of this.index.lookUp(userId, key, before_id ?? Number.MAX_SAFE_INTEGER)) {
      const missing = limit + 1 - hits.length;
      const found = range.candidates
        ? await this.check(userId, key, range.candidates, missing)
        : await this.scan(userId, key, range, missing);
      hits.push(...found);
      if (hits.length > limit) break;
      await setImmediate();
    }
    return hits;
  }

  /** Scans a range in stretches, and requests an index for ranges of several. */
  private async scan(userId: number, key: string, range: IdRange, limit: number): Promise<Hit[]> {
    const hits: Hit[] = [];
    let isLong = false;
    for (let { end } = range; end > range.start && hits.length < limit;) {
      const start = await this.startOfStretch(userId, { start: range.start, end });
      hits.push(...(await this.scanStretch(userId, key, { start, end }, limit - hits.length)));
      isLong ||= start > range.start;
      end = start;
      await setImmediate(); // SQLite answers within one tick
    }
    if (isLong) this.index.requestBuild(userId);
    return hits;
  }

  /** @returns the first id of the last stretch in a range */
  private async startOfStretch(userId: number, range: IdRange): Promise<number> {
    const inRange = ownMessages(this.messages, userId, 'DESC')
      .select('message.id', 'id')
      .andWhere('message.id >= :start AND message.id < :end', range);
    if (!this.isMysql) return this.startOfSizedStretch(inRange, range.start);
    const first = await inRange
      .offset(this.sizes.stretchMessages - 1)
      .limit(1)
      .getRawOne<{ id: number | string }>();
    return Number(first?.id ?? range.start);
  }

  /** Limits the bytes of a stretch too: SQLite reads them in this thread. */
  private async startOfSizedStretch(inRange: SelectQueryBuilder<Message>, start: number): Promise<number> {
    const { stretchMessages } = this.sizes;
    const rows = await inRange.addSelect(BYTES, 'bytes').limit(stretchMessages).getRawMany<SizedRow>();
    const stretch = firstFitting(rows, BYTES_PER_READ, bytesOf);
    const isAll = rows.length < stretchMessages && stretch.length === rows.length;
    return isAll ? start : stretch.at(-1)!.id;
  }

  private async scanStretch(
    userId: number,
    key: string,
    { start, end }: IdRange,
    limit: number,
  ): Promise<Hit[]> {
    const hits: Hit[] = [];
    for (let below = end, count = FIRST_READ; ; count = Math.min(2 * count, LARGEST_READ)) {
      const query = this.queryStretch(userId, key, { start, end: below }).limit(count);
      const rows = await query.getRawMany<MatchRow>();
      hits.push(...(await this.matcher.match(rows, key, limit - hits.length)));
      if (rows.length < count || hits.length === limit) return hits;
      below = Number(rows.at(-1)!.id);
    }
  }

  queryStretch(userId: number, key: string, stretch: IdRange): SelectQueryBuilder<Message> {
    const own = ownMessages(this.messages, userId, 'DESC');
    return this.filter(own.andWhere('message.id >= :start AND message.id < :end', stretch), key);
  }

  /** @param ids of candidates, highest first */
  private async check(userId: number, key: string, ids: number[], limit: number): Promise<Hit[]> {
    const hits: Hit[] = [];
    for (let at = 0, count = FIRST_READ; at < ids.length && hits.length < limit;) {
      const batch = await this.fitting(userId, ids.slice(at, at + count));
      const rows = await this.queryHits(userId, key, batch).getRawMany<MatchRow>();
      hits.push(...(await this.matcher.match(rows, key, limit - hits.length)));
      at += batch.length;
      count = Math.min(2 * count, LARGEST_READ);
    }
    return hits;
  }

  /** The first ids whose messages SQLite may read with one statement. */
  private async fitting(userId: number, ids: number[]): Promise<number[]> {
    if (this.isMysql) return ids;
    const rows = await this.queryIds(userId, ids)
      .select('message.id', 'id')
      .addSelect(BYTES, 'bytes')
      .getRawMany<SizedRow>();
    const last = firstFitting(rows, BYTES_PER_READ, bytesOf).at(-1);
    return last && last !== rows.at(-1) ? ids.slice(0, ids.indexOf(last.id) + 1) : ids;
  }

  queryHits(userId: number, key: string, ids: number[]): SelectQueryBuilder<Message> {
    return this.filter(this.queryIds(userId, ids), key);
  }

  private queryIds(userId: number, ids: number[]): SelectQueryBuilder<Message> {
    return this.messages
      .createQueryBuilder('message')
      .where('message.id IN (:...ids) AND message.userId = :userId', { ids, userId })
      .orderBy('message.id', 'DESC');
  }

  /** Filters ASCII text in the database, which folds it as foldText does. Other text may fold to ASCII: it is kept. */
  private filter(messages: SelectQueryBuilder<Message>, key: string): SelectQueryBuilder<Message> {
    const isOther = this.isMysql
      ? 'LENGTH(message.content) <> CHAR_LENGTH(message.content)'
      : 'LENGTH(CAST(message.content AS BLOB)) <> LENGTH(message.content)';
    return messages
      .select('message.id', 'id')
      .addSelect(`SUBSTR(message.content, 1, ${BEGINNING_CHARACTERS})`, 'beginning')
      .andWhere(isAscii(key) ? `(${isOther} OR INSTR(LOWER(message.content), :key) > 0)` : isOther, { key });
  }

  private get isMysql(): boolean {
    return isMysql(this.messages.manager.dataSource);
  }
}
