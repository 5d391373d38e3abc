import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Repository, SelectQueryBuilder } from 'typeorm';
import { Message } from './message.entity.js';
import { ownMessages } from './own-messages.js';
import type { SearchQuery } from './query.dto.js';
import { bucketsOf } from './search-grams.js';
import { hasGaps, SearchIndex, SearchSizes, type Span, spansOf } from './search-index.js';
import { SearchIndexer } from './search-indexer.js';

const SNIPPET_CHARACTERS = 160;
/** How much of a snippet goes before what was found. */
const LEAD_CHARACTERS = 60;
/** Messages that are looked at in one statement, of those that may have the text: some, and then more. */
const FIRST_CHECK = 50;
const LAST_CHECK = 800;

export interface Hit {
  id: number | string;
  snippet: string;
}

/** Finds a user's messages that have a text: what blocks tell of by them, and the others by a scan. */
@Injectable()
export class MessageSearch {
  constructor(
    @InjectRepository(Message) private readonly messages: Repository<Message>,
    private readonly index: SearchIndex,
    private readonly indexer: SearchIndexer,
    private readonly sizes: SearchSizes,
  ) {}

  /** The newest first, and one more than the limit, where there are: it reads no further back than that takes. */
  async find(userId: number, { q, limit, before_id }: SearchQuery): Promise<Hit[]> {
    const hits: Hit[] = [];
    const blocks = await this.index.list(userId);
    const buckets = bucketsOf(q);
    for (const span of spansOf(blocks, before_id ?? Number.MAX_SAFE_INTEGER)) {
      const ids = span.blocks.length > 0 ? await this.index.candidates(span.blocks, buckets) : null;
      const missing = limit + 1 - hits.length;
      const found = ids
        ? await this.check(userId, q, below(span.end, ids), missing)
        : await this.scan(userId, q, span, missing);
      hits.push(...found);
      if (hits.length > limit) break;
      await nextTurn();
    }
    if (hasGaps(blocks)) this.indexer.request(userId);
    return hits;
  }

  /** Goes through all messages of a span. Where they are many, there had better be a block. */
  private async scan(userId: number, q: string, span: Span, limit: number): Promise<Hit[]> {
    const hits: Hit[] = [];
    let isLong = false;
    for (let { end } = span; end > span.start && hits.length < limit;) {
      const start = await this.startOfStretch(userId, { start: span.start, end });
      const take = limit - hits.length;
      hits.push(...(await this.queryStretch(userId, q, { start, end }).limit(take).getRawMany<Hit>()));
      isLong ||= start > span.start;
      end = start;
      await nextTurn(); // SQLite answers within one, and another stretch would be read in the same
    }
    if (isLong) this.indexer.request(userId);
    return hits;
  }

  /** @returns the id that the last stretch of a span begins with */
  private async startOfStretch(userId: number, span: { start: number; end: number }): Promise<number> {
    const first = await ownMessages(this.messages, userId, 'DESC')
      .select('message.id', 'id')
      .andWhere('message.id >= :start AND message.id < :end', span)
      .offset(this.sizes.stretchMessages - 1)
      .limit(1)
      .getRawOne<{ id: number | string }>();
    return Number(first?.id ?? span.start);
  }

  queryStretch(
    userId: number,
    q: string,
    stretch: { start: number; end: number },
  ): SelectQueryBuilder<Message> {
    const own = ownMessages(this.messages, userId, 'DESC');
    return toHits(own.andWhere('message.id >= :start AND message.id < :end', stretch), q);
  }

  /** Looks at messages that may have the text, the newest first. */
  private async check(userId: number, q: string, ids: number[], limit: number): Promise<Hit[]> {
    const hits: Hit[] = [];
    for (let at = 0, count = FIRST_CHECK; at < ids.length && hits.length < limit;) {
      const some = ids.slice(at, at + count);
      hits.push(
        ...(await this.queryHits(userId, q, some)
          .limit(limit - hits.length)
          .getRawMany<Hit>()),
      );
      at += count;
      count = Math.min(2 * count, LAST_CHECK);
    }
    return hits;
  }

  queryHits(userId: number, q: string, ids: number[]): SelectQueryBuilder<Message> {
    const some = this.messages
      .createQueryBuilder('message')
      .where('message.id IN (:...ids) AND message.userId = :userId', { ids, userId })
      .orderBy('message.id', 'DESC');
    return toHits(some, q);
  }
}

/** INSTR and SUBSTR count characters, not code units, on both databases. */
function toHits(messages: SelectQueryBuilder<Message>, q: string): SelectQueryBuilder<Message> {
  const at = 'INSTR(LOWER(message.content), LOWER(:q))';
  const start = `CASE WHEN ${at} > ${LEAD_CHARACTERS} THEN ${at} - ${LEAD_CHARACTERS} ELSE 1 END`;
  return messages
    .select('message.id', 'id')
    .addSelect(`SUBSTR(message.content, ${start}, ${SNIPPET_CHARACTERS})`, 'snippet')
    .andWhere(`${at} > 0`, { q });
}

const below = (end: number, ids: number[]) => ids.filter((id) => id < end);
