/** Sizes of the statements of a search and of its index, which bound the memory and block the event loop on SQLite. */
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Logger } from 'typeorm';
import type { Conversation } from '../../src/conversations/conversation.entity.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { CandidateLookup } from '../../src/conversations/search/index/candidate-lookup.js';
import { BUCKETS } from '../../src/conversations/search/index/n-grams.js';
import { SearchIndex } from '../../src/conversations/search/index/search-index.js';
import { SearchIndexer } from '../../src/conversations/search/index/search-indexer.js';
import { SearchSegment } from '../../src/conversations/search/index/search-segment.entity.js';
import { SegmentReader } from '../../src/conversations/search/index/segment-reader.js';
import { SegmentStore } from '../../src/conversations/search/index/segment-store.js';
import { MessageSearch } from '../../src/conversations/search/message-search.js';
import { BLANK } from '../support/app/messages.js';
import { ChatDatabase } from '../support/infrastructure/chat-database.js';
import { until } from '../support/infrastructure/until.js';

const STRETCH = 5000;

interface Statement {
  sql: string;
  parameters: unknown[];
}

let database: ChatDatabase;
let conversation: Conversation;
let userId: number;
let statements: Statement[] = [];

beforeAll(async () => {
  database = await ChatDatabase.create();
  const { dataSource } = database;
  const logger = Object.create(dataSource.logger) as Logger;
  logger.logQuery = (sql, parameters = []) =>
    void statements.push({ sql, parameters: parameters as unknown[] });
  dataSource.logger = logger;
});
afterAll(() => database.drop());
beforeEach(async () => {
  ({ id: userId } = await database.createUser());
  conversation = await database.createConversation(userId);
});

async function write(contents: string[]): Promise<void> {
  const place = { conversationId: conversation.id, userId, role: 'user' as const, parentId: null };
  const createdAt = new Date(Date.now() - 60_000);
  const rows = contents.map((content) => ({ ...BLANK, ...place, createdAt, content }) as object);
  for (let start = 0; start < rows.length; start += 500)
    await database.dataSource.manager.insert(Message, rows.slice(start, start + 500));
}

function search(sizes = { minMessages: 100_000, maxMessages: 100_000, settledMs: 0 }) {
  const messages = database.dataSource.getRepository(Message);
  const segments = database.dataSource.getRepository(SearchSegment);
  const store = new SegmentStore(segments);
  const indexer = new SearchIndexer(store, sizes, messages);
  const index = new SearchIndex(store, new CandidateLookup(segments), indexer);
  return {
    indexer,
    store,
    reader: new SegmentReader(messages, sizes, async () => undefined),
    messages: new MessageSearch(messages, index, { stretchMessages: STRETCH }),
  };
}

/** @returns statements of some work that match a pattern */
async function statementsOf(work: () => Promise<unknown>, pattern: RegExp): Promise<Statement[]> {
  statements = [];
  await work();
  return statements.filter(({ sql }) => pattern.test(sql));
}

const segmentsOf = () => database.dataSource.manager.findBy(SearchSegment, { userId });
const isBuilt = async () => (await segmentsOf()).some(({ ready, tombstoned }) => ready && !tombstoned);
const limitOf = ({ sql }: Statement) => Number(/LIMIT (\d+)/.exec(sql)?.[1]);

it('a segment reads 128 messages at a time, and long ones alone', async () => {
  await write(['x'.repeat(8000), 'y'.repeat(7999), ...Array<string>(198).fill('hay')]);
  const { reader } = search();
  const read = () => reader.read(userId, { first: 0, last: null });

  const rows = await statementsOf(async () => expect((await read()).ids).toHaveLength(200), /SUBSTR/);
  const contents = statements.filter(({ sql }) => /content/.test(sql) && !/SUBSTR/.test(sql));

  expect(rows.map(limitOf)).toEqual([128, 128]);
  expect(rows[0]!.sql).toContain(', 1, 8000)');
  expect(contents).toHaveLength(1);
});

it('a segment reads no more messages than it may have', async () => {
  await write(Array<string>(200).fill('hay'));
  const { reader } = search({ minMessages: 1, maxMessages: 150, settledMs: 0 });

  const rows = await statementsOf(async () => {
    const { ids, isWhole } = await reader.read(userId, { first: 0, last: null });
    expect([ids.length, isWhole]).toEqual([150, false]);
  }, /SUBSTR/);

  expect(rows.map(limitOf)).toEqual([128, 22]);
});

it('an index is written 500 postings at a time, and deleted 512 buckets at a time', async () => {
  const words = Array.from({ length: 2000 }, (_, n) => `${(n * 7919).toString(36)}q`).join(' ');
  await write([words, ...Array<string>(20).fill('hay')]);
  const { indexer } = search({ minMessages: 5, maxMessages: 100, settledMs: 0 });

  const inserts = await statementsOf(async () => {
    indexer.request(userId);
    await until(isBuilt);
  }, /INSERT INTO search_bits/);
  const counts = inserts.map(({ parameters }) => parameters.length / 3);
  expect(counts.slice(0, -1)).toEqual(Array(counts.length - 1).fill(500));
  expect(counts.length).toBeGreaterThan(2);

  await database.dataSource.manager.update(SearchSegment, { userId }, { tombstoned: true });
  const [old] = await segmentsOf();
  const deletions = await statementsOf(async () => {
    indexer.request(userId);
    await until(async () => (await isBuilt()) && (await segmentsOf())[0]!.id !== old!.id);
  }, /DELETE FROM search_bits/);
  const ends = deletions.map(({ parameters }) => Number(parameters[1]));
  expect(ends).toEqual(Array.from({ length: Math.ceil(BUCKETS / 512) }, (_, n) => 512 * (n + 1)));
});

it('large postings are written about 128 KiB at a time', async () => {
  const text = Array.from({ length: 250 }, (_, n) => String.fromCodePoint(0x4e00 + n)).join('');
  await write(Array<string>(3000).fill(text));
  const { indexer } = search({ minMessages: 5, maxMessages: 32_768, settledMs: 0 });
  const { length: bytes } = Buffer.alloc(Math.ceil(3000 / 8));

  const inserts = await statementsOf(async () => {
    indexer.request(userId);
    await until(isBuilt);
  }, /INSERT INTO search_bits/);

  expect(inserts.length).toBeGreaterThan(1);
  for (const { parameters } of inserts)
    expect(parameters.filter(Buffer.isBuffer).reduce((sum, { length }) => sum + length, 0)).toBeLessThan(
      128 * 1024 + bytes,
    );
});

it('candidates are checked 50 at a time, then twice as many each time, up to 400', async () => {
  await write(Array<string>(1500).fill('abc bcd'));
  const { indexer, messages } = search({ minMessages: 5, maxMessages: 2000, settledMs: 0 });
  indexer.request(userId);
  await until(isBuilt);

  const checks = await statementsOf(() => messages.find(userId, { q: 'abcd', limit: 10 }), /SUBSTR/);

  const counts = checks.filter(({ sql }) => sql.includes(' IN (')).map(({ sql }) => countIn(sql));
  expect(counts).toEqual([50, 100, 200, 400, 400, 350]);
});

it('a scan reads 50 messages at a time, then twice as many each time, up to 400', async () => {
  await write(Array<string>(1500).fill('été'));

  const reads = await statementsOf(
    () => search().messages.find(userId, { q: 'summer', limit: 10 }),
    /SUBSTR/,
  );

  expect(reads.map(limitOf)).toEqual([50, 100, 200, 400, 400, 400]);
});

it('a deletion tombstones segments that were claimed up to ten seconds before it', async () => {
  const { store } = search();
  const began = new Date();
  const claim = async (firstMessageId: number, beforeMs: number) => {
    const id = (await store.claim(userId, firstMessageId))!;
    const claimedAt = new Date(began.getTime() - beforeMs);
    await database.dataSource.manager.update(SearchSegment, { id }, { claimedAt });
  };
  await claim(1, 11_000);
  await claim(2, 10_000);
  await claim(3, 0);

  await store.tombstoneClaimedSince(userId, began);

  const segments = await store.list(userId);
  expect(segments.map(({ tombstoned }) => tombstoned)).toEqual([false, true, true]);
});

/** Number of placeholders of an IN. */
function countIn(sql: string): number {
  return / IN \(([^)]*)\)/.exec(sql)![1]!.split(',').length;
}
