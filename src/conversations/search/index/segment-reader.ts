import { Repository } from 'typeorm';
import { foldPieces } from '../../../common/text/folded-pieces.js';
import { Message } from '../../messages/message.entity.js';
import { ownMessages } from '../../messages/own-messages.js';
import { PostingRows } from './search-postings.js';
import { BUCKETS, NGramReader } from './n-grams.js';
import type { SearchSizes } from './search-index.js';

/** What SQLite, which holds up the process, reads in a few milliseconds. */
const MESSAGES_A_READ = 128;
const CHARACTERS_A_MESSAGE = 8000;
/** For so long it works before the process looks at what else there is. */
const TURN_MS = 3;
/** It will not change any more, and none with a lower id is still to come. */
const SETTLED = "message.status <> 'streaming' AND message.createdAt <= :settled";

export interface Gap {
  first: number;
  /** Null for the newest messages, to which more come. */
  last: number | null;
}

interface Page {
  id: number | string;
  beginning: string;
  settled: number;
}

/** Reads what a segment is made of, and lets the process do other things meanwhile. */
export class SegmentReader {
  private turnBegan = 0;

  constructor(
    private readonly messages: Repository<Message>,
    private readonly sizes: SearchSizes,
    private readonly nextTurn: () => Promise<void>,
  ) {}

  /** Whether the newest messages are enough for a segment: counted along the index alone. */
  async findsEnough(userId: number, { first }: Gap): Promise<boolean> {
    const query = ownMessages(this.messages, userId, 'ASC').andWhere('message.id >= :first', { first });
    const last = await query
      .select('message.id', 'id')
      .offset(this.sizes.minSegmentMessages - 1)
      .limit(1)
      .getRawOne<{ id: number | string }>();
    if (!last) return false;
    const { id } = last;
    return this.messages
      .createQueryBuilder('message')
      .where(`message.id = :id AND ${SETTLED}`, { id, settled: this.settledBefore() })
      .getExists();
  }

  /** Up to a segment's worth of messages, or up to one that is not settled. `isWhole`: to the gap's end. */
  async read(userId: number, { first, last }: Gap) {
    const { maxSegmentMessages: most } = this.sizes;
    const ids: number[] = [];
    const postings = new PostingRows(BUCKETS, most);
    const reader = new NGramReader((bucket) => postings.add(bucket, ids.length));
    for (let after = first - 1; ; after = ids.at(-1)!) {
      const limit = Math.min(MESSAGES_A_READ, most - ids.length);
      const page = await this.readPage(userId, after, last ?? Number.MAX_SAFE_INTEGER, limit);
      for (const { id, beginning, settled } of page) {
        if (!settled) return { ids, postings, isWhole: false };
        await this.readNGrams(reader, Number(id), beginning);
        ids.push(Number(id));
      }
      if (page.length < limit) return { ids, postings, isWhole: true };
      if (ids.length === most) return { ids, postings, isWhole: false };
      await this.giveWay();
    }
  }

  private readPage(userId: number, after: number, last: number, limit: number): Promise<Page[]> {
    return ownMessages(this.messages, userId, 'ASC')
      .select('message.id', 'id')
      .addSelect(`SUBSTR(message.content, 1, ${CHARACTERS_A_MESSAGE})`, 'beginning')
      .addSelect(`CASE WHEN ${SETTLED} THEN 1 ELSE 0 END`, 'settled')
      .andWhere('message.id > :after AND message.id <= :last', { after, last })
      .setParameters({ settled: this.settledBefore() })
      .limit(limit)
      .getRawMany<Page>();
  }

  private async readNGrams(reader: NGramReader, id: number, beginning: string): Promise<void> {
    const isWhole = beginning.length < CHARACTERS_A_MESSAGE;
    const text = isWhole ? beginning : await this.readText(id);
    reader.begin();
    for (const { folded } of foldPieces(text)) {
      reader.read(folded);
      if (performance.now() - this.turnBegan > TURN_MS) await this.giveWay();
    }
  }

  /** Of one that has just been deleted, nothing. */
  private async readText(id: number): Promise<string> {
    const message = await this.messages.findOne({ select: { id: true, content: true }, where: { id } });
    return message?.content ?? '';
  }

  private settledBefore(): Date {
    return new Date(Date.now() - this.sizes.settledMs);
  }

  private async giveWay(): Promise<void> {
    await this.nextTurn();
    this.turnBegan = performance.now();
  }
}
