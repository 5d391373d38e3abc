import type { Repository } from 'typeorm';
import { foldPieces } from '../../../common/text/folded-pieces.js';
import type { Message } from '../../messages/message.entity.js';
import { ownMessages } from '../../messages/own-messages.js';
import { readContent } from '../../messages/stored-text.js';
import { BUCKETS, NGramReader } from './n-grams.js';
import { PostingRows } from './search-postings.js';
import type { Gap } from './segment-ranges.js';
import type { SegmentSizes } from './segment-sizes.js';

/** Size of one read: a few milliseconds on SQLite, which blocks the event loop. */
const MESSAGES_PER_READ = 128;
const CHARACTERS_PER_MESSAGE = 8000;
/** Longest work between two ticks of the event loop. */
const MAX_BUSY_MS = 3;
/** Ended messages never change, and after `settledMs` no lower id appears. */
const SETTLED = "message.status <> 'streaming' AND message.createdAt <= :settled";

interface MessageRow {
  id: number | string;
  /** First CHARACTERS_PER_MESSAGE characters of the content. */
  beginning: string;
  settled: number;
}

interface SegmentContent {
  ids: number[];
  postings: PostingRows;
  /** Whether it reaches the end of the gap. */
  isWhole: boolean;
}

/** Reads messages and computes their postings. */
export class SegmentReader {
  private busySince = 0;

  /** @param yieldOrStop called every few milliseconds; may throw to stop */
  constructor(
    private readonly messages: Repository<Message>,
    private readonly sizes: SegmentSizes,
    private readonly yieldOrStop: () => Promise<void>,
  ) {}

  /** Whether a gap has enough settled messages for a segment. Counts along the index only. */
  async findsEnough(userId: number, { first }: Gap): Promise<boolean> {
    const query = ownMessages(this.messages, userId, 'ASC').andWhere('message.id >= :first', { first });
    const last = await query
      .select('message.id', 'id')
      .offset(this.sizes.minMessages - 1)
      .limit(1)
      .getRawOne<{ id: number | string }>();
    if (!last) return false;
    return this.messages
      .createQueryBuilder('message')
      .where(`message.id = :id AND ${SETTLED}`, { id: last.id, settled: this.settledBefore() })
      .getExists();
  }

  /** Reads from the start of a gap up to a full segment, the end of the gap or an unsettled message. */
  async read(userId: number, { first, last }: Gap): Promise<SegmentContent> {
    const { maxMessages } = this.sizes;
    const ids: number[] = [];
    const postings = new PostingRows(BUCKETS, maxMessages);
    const reader = new NGramReader((bucket) => postings.add(bucket, ids.length));
    for (let after = first - 1; ; after = ids.at(-1)!) {
      const limit = Math.min(MESSAGES_PER_READ, maxMessages - ids.length);
      const rows = await this.readRows(userId, after, last ?? Number.MAX_SAFE_INTEGER, limit);
      for (const row of rows) {
        if (!row.settled) return { ids, postings, isWhole: false };
        await this.readNGrams(reader, row);
        ids.push(Number(row.id));
      }
      if (rows.length < limit) return { ids, postings, isWhole: true };
      if (ids.length === maxMessages) return { ids, postings, isWhole: false };
      await this.yield();
    }
  }

  private readRows(userId: number, after: number, last: number, limit: number): Promise<MessageRow[]> {
    return ownMessages(this.messages, userId, 'ASC')
      .select('message.id', 'id')
      .addSelect(`SUBSTR(message.content, 1, ${CHARACTERS_PER_MESSAGE})`, 'beginning')
      .addSelect(`CASE WHEN ${SETTLED} THEN 1 ELSE 0 END`, 'settled')
      .andWhere('message.id > :after AND message.id <= :last', { after, last })
      .setParameters({ settled: this.settledBefore() })
      .limit(limit)
      .getRawMany<MessageRow>();
  }

  private async readNGrams(reader: NGramReader, { id, beginning }: MessageRow): Promise<void> {
    const isWhole = beginning.length < CHARACTERS_PER_MESSAGE;
    const text = isWhole ? beginning : await readContent(this.messages, Number(id));
    reader.begin();
    for (const { folded } of foldPieces(text)) {
      reader.read(folded);
      if (performance.now() - this.busySince > MAX_BUSY_MS) await this.yield();
    }
  }

  private settledBefore(): Date {
    return new Date(Date.now() - this.sizes.settledMs);
  }

  private async yield(): Promise<void> {
    await this.yieldOrStop();
    this.busySince = performance.now();
  }
}
