/** Searches with an index of small segments. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Between, DataSource } from 'typeorm';
import { foldText } from '../../src/common/text/fold-text.js';
import { isVisible } from '../../src/common/text/visible-text.js';
import { Conversation } from '../../src/conversations/conversation.entity.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { MessageSearch, ScanSizes } from '../../src/conversations/search/message-search.js';
import { CandidateLookup } from '../../src/conversations/search/index/candidate-lookup.js';
import { SearchPosting } from '../../src/conversations/search/index/search-posting.entity.js';
import { SearchSegment } from '../../src/conversations/search/index/search-segment.entity.js';
import { bucketsOf, INDEX_VERSION } from '../../src/conversations/search/index/n-grams.js';
import { SearchIndex } from '../../src/conversations/search/index/search-index.js';
import { SegmentSizes } from '../../src/conversations/search/index/segment-sizes.js';
import { isMysql } from '../../src/database/data-source.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { SearchAnswer } from '../support/clients/conversations.js';
import { onMysql } from '../support/infrastructure/database.js';
import { BLANK } from '../support/app/messages.js';
import { until } from '../support/infrastructure/until.js';
import { StatementLog } from '../support/app/statements.js';
import type { TestUser } from '../support/app/user.js';

const RUNS = Math.ceil(Number(process.env.PROPERTY_RUNS ?? 12) / 3);
const LEAST = 8;
const MOST = 20;
const STRETCH = 5;
const SIZES = { minMessages: LEAST, maxMessages: MOST, settledMs: 60_000 };
const ABSENT = 'nowhere';
/** No other text of these tests contains its n-grams. */
const SECRET = '龘靐';
const HOUR_MS = 3_600_000;

let t: TestApp;
let ada: TestUser;
let conversationId: number;

beforeAll(async () => {
  t = await startTestApp({
    providers: [
      [SegmentSizes, SIZES],
      [ScanSizes, { stretchMessages: STRETCH }],
    ],
  });
});
afterAll(() => t.stop());
beforeEach(async () => {
  ada = await t.user().create();
  conversationId = (await ada.createConversation()).id;
});

const segmentsOf = ({ id: userId }: TestUser) =>
  t.manager.find(SearchSegment, { where: { userId }, order: { firstMessageId: 'ASC' } });

/** Builds rows created an hour ago. */
function rowsOf(user: TestUser, conversation: number, contents: string[], like: Partial<Message> = {}) {
  const createdAt = new Date(Date.now() - HOUR_MS);
  const place = { conversationId: conversation, userId: user.id, parentId: null, role: 'user' as const };
  return contents.map((content) => ({ ...BLANK, ...place, createdAt, content, ...like }) as object);
}

async function write(...args: Parameters<typeof rowsOf>): Promise<number[]> {
  const rows = rowsOf(...args);
  await t.manager.insert(Message, rows);
  const newest = { where: { userId: args[0].id }, order: { id: 'DESC' as const }, take: rows.length };
  return (await t.manager.find(Message, newest)).map(({ id }) => id).reverse();
}

const hay = (count: number) => Array.from({ length: count }, (_, index) => `hay ${index}`);

/** Reads all pages of a search. @returns the messages' ids */
async function search(user: TestUser, q: string, limit = 100): Promise<number[]> {
  const found: number[] = [];
  for (let more = true; more;) {
    const before = found.length > 0 ? `&before_id=${found.at(-1)}` : '';
    const path = `/conversations/search?q=${encodeURIComponent(q)}&limit=${limit}${before}`;
    const { body } = await user.get<SearchAnswer>(path);
    const ids = body.results.flatMap(({ message }) => (message ? [message.id] : []));
    found.push(...ids);
    more = body.has_more && ids.length > 0;
  }
  return found;
}

async function scan(user: TestUser, q: string): Promise<number[]> {
  const all = await t.manager.find(Message, { where: { userId: user.id }, order: { id: 'DESC' } });
  return all.filter(({ content }) => foldText(content).includes(foldText(q))).map(({ id }) => id);
}

async function index(user: TestUser, count: number, asked = user): Promise<SearchSegment[]> {
  await search(asked, ABSENT);
  return untilIndexed(user, count);
}

async function untilIndexed(user: TestUser, count: number): Promise<SearchSegment[]> {
  await until(async () => {
    const segments = await segmentsOf(user);
    const whole = segments.every(({ ready, tombstoned }) => ready && !tombstoned);
    return whole && segments.reduce((sum, { messageCount }) => sum + messageCount, 0) === count;
  });
  return segmentsOf(user);
}

describe('a search', () => {
  const unit = fc.constantFrom(
    ...'aAbBcC ikIK.0中文字圖😀😁éÉßẞсСтТİıſKΣσς𐐀𐐨１ａﬁが\u0301\u0307\u200d\u00ad',
  );
  const text = fc.string({ unit, maxLength: 25 });
  const query = fc.string({ unit, minLength: 1, maxLength: 4 }).filter(isVisible);
  const texts = fc.array(text, { minLength: 2 * MOST, maxLength: 4 * MOST });

  it('finds the same messages by index as by scan, in any text and page size', async () => {
    const eve = await t.user().create();
    const hers = (await eve.createConversation()).id;
    await fc.assert(
      fc.asyncProperty(texts, fc.array(query, { minLength: 8 }), fc.integer({ min: 3, max: 30 }), check),
      { numRuns: RUNS },
    );

    /** Compares both for a new user; the message ids alternate with another user's. */
    async function check(contents: string[], queries: string[], limit: number) {
      const user = await t.user().create();
      const { id } = await user.createConversation();
      const rows = contents.flatMap((content) => [
        ...rowsOf(user, id, [content]),
        ...rowsOf(eve, hers, [content]),
      ]);
      await t.manager.insert(Message, rows);
      const rest = contents.length % MOST;
      await index(user, contents.length - (rest < LEAST ? rest : 0));
      const parts = contents.slice(0, 8).map((content) => [...content].slice(1, 6).join(''));
      for (const q of [...queries, ...parts.filter(isVisible)]) {
        expect(await search(user, q, limit)).toEqual(await scan(user, q));
      }
    }
  }, 120_000);

  it('skips messages that the index rules out', async () => {
    await write(ada, conversationId, hay(10 * MOST));
    await index(ada, 10 * MOST);
    const statements = new StatementLog(t);
    await search(ada, ABSENT);

    // The start of the unindexed messages, these messages, and possibly the indexer's count of them.
    const reads = statements.take().filter((statement) => statement === 'SELECT messages');
    expect(reads.length).toBeLessThanOrEqual(3);
  });

  it('reads only the needed postings, by primary key', async () => {
    await write(ada, conversationId, hay(10 * MOST));
    const segments = await index(ada, 10 * MOST);
    const [sql, parameters] = t.app.get(CandidateLookup).postingsStatement(segments, bucketsOf('hay 123'));
    const mysql = isMysql(t.app.get(DataSource));
    const plan = await t.manager.query<object[]>(
      `${mysql ? 'EXPLAIN FORMAT=JSON' : 'EXPLAIN QUERY PLAN'} ${sql}`,
      parameters,
    );

    // Both key columns; the first alone would read a whole segment.
    expect(JSON.stringify(plan)).toMatch(
      mysql ? /block_id\\*",[^\]]*\\*"bucket\\*"/ : /SEARCH posting [^"]*\(block_id=\? AND bucket=\?\)/,
    );
  });

  it('scans the messages of a segment that is removed during the search', async () => {
    const [needle] = await write(ada, conversationId, ['a needle', ...hay(MOST - 1)]);
    const [segment] = await index(ada, MOST);
    const candidates = () => t.app.get(CandidateLookup).find([segment!], bucketsOf('needle'));
    expect(await candidates()).toEqual([needle]);
    await t.manager.update(SearchSegment, { userId: ada.id }, { ready: false });

    expect(await candidates()).toBeNull();
    expect(await search(ada, 'needle')).toEqual([needle]);
  });

  it('does not block the event loop, however much it scans', async () => {
    await write(ada, conversationId, hay(10 * MOST), { createdAt: new Date() });
    let turns = 0;
    let over = false;
    const count = () => {
      turns++;
      if (!over) setImmediate(count);
    };
    count();
    await t.app.get(MessageSearch).find(ada.id, { q: ABSENT, limit: 20 });
    over = true;

    expect(turns).toBeGreaterThanOrEqual((10 * MOST) / STRETCH);
  });

  it('finds messages newer than the index', async () => {
    const old = await write(ada, conversationId, ['a needle', ...hay(LEAST)]);
    await index(ada, LEAST + 1);
    const young = await write(ada, conversationId, ['another Needle']);

    expect(await search(ada, 'needle')).toEqual([young[0], old[0]]);
  });

  /** Content, queries that find it, and queries that do not. */
  const FOLDED: [content: string, found: string[], others: string[]][] = [
    ['ПРИВЕТ, мир', ['привет', 'Привет', 'МИР'], ['приветы']],
    ['Ο ΟΔΟΣ', ['οδος', 'οδοσ', 'ΟΔΟΣ', 'ΟΔΟ'], ['ὁδός']],
    ['cafe\u0301 noir', ['café', 'CAFÉ', 'CAFE\u0301'], ['cafe', 'cafè']],
    ['naïve', ['NAI\u0308VE', 'naïve'], ['naive']],
    ['Ｔｅｌ １２３－４５', ['tel 123-45', 'ＴＥＬ', '１２３'], ['1234']],
    ['tel 678', ['６７８', 'ｔｅｌ'], []],
    ['Große STRASSE', ['GROSSE', 'große', 'GROẞE', 'straße'], ['grose']],
    ['İstanbul, ISPARTA', ['istanbul', 'İSTANBUL', 'ısparta', 'isparta'], ['ustanbul']],
    ['ｶﾞﾗｽ と か\u3099', ['ガラス', 'が'], ['がらす', 'か゚']],
    ['ﬁne x² ½ №', ['fine', 'x2', '1⁄2', 'no'], ['fme']],
    ['hy\u00adphen\u200bation', ['hyphenation', 'hyphen\u00adation'], ['hyphe nation']],
    ['می\u200cخواهم', ['میخواهم', 'می\u200cخواهم'], ['خواهمی']],
    ['a ❤️ b 👩‍💻 c', ['❤', '❤️', '👩‍💻', '👩'], ['🧑']],
    ["100% sure_thing \\ it's", ['100%', '%', 'SURE_', '\\', "'s"], ['100_', 'sure%', '1%0', "''"]],
    ['ꮳꮃꭹ ⰰ 𐐨', ['ᏣᎳᎩ', 'Ⰰ', '𐐀'], ['ᏣᎳᎳ']],
    ['\u1112\u1161\u11ab국', ['한국'], ['하국']],
    ['café au lait'.padStart(20_000, 'ﬁ '), ['CAFÉ AU LAIT'], ['cafe au']],
  ];

  describe.each([
    ['a scan', false],
    ['an index lookup', true],
  ])('with %s', (_, indexed) => {
    it.each(FOLDED)('folds %j identically on every database', async (content, found, others) => {
      const [id] = await write(ada, conversationId, [content, ...hay(LEAST)]);
      if (indexed) await index(ada, LEAST + 1);

      const finds = async (q: string) => (await search(ada, q)).includes(id!);
      expect(await Promise.all(found.map(finds))).toEqual(found.map(() => true));
      expect(await Promise.all(others.map(finds))).toEqual(others.map(() => false));
    });
  });

  it.each(FOLDED.filter(([content]) => content.length <= 200))(
    'folds the title %j identically',
    async (title, found, others) => {
      await ada.createConversation({ title });

      const total = async (q: string) => {
        const { body } = await ada.get<{ total: number }>(`/conversations?q=${encodeURIComponent(q)}`);
        const { body: results } = await ada.get<SearchAnswer>(
          `/conversations/search?q=${encodeURIComponent(q)}`,
        );
        return [body.total, results.results.length];
      };
      expect(await Promise.all(found.map(total))).toEqual(found.map(() => [1, 1]));
      expect(await Promise.all(others.map(total))).toEqual(others.map(() => [0, 0]));
    },
  );

  it.each([
    ['characters that expand in folding', 'ﬁ ½ ẞ '.repeat(300)],
    ['characters that shrink in folding', 'e\u0301\u00ad'.repeat(300)],
    ['emoji', '👩‍💻'.repeat(200)],
    ['more text than one batch reads', 'ß\u0301 '.repeat(9000)],
  ])('shows the matching excerpt, after %s', async (_, before) => {
    await write(ada, conversationId, [`${before}Needle${before}`]);
    const path = `/conversations/search?q=${encodeURIComponent('ＮＥＥＤＬＥ')}`;
    const { snippet } = (await ada.get<SearchAnswer>(path)).body.results[0]!;

    expect(snippet.indexOf('Needle')).toBeGreaterThanOrEqual(40);
    expect(before + 'Needle' + before).toContain(snippet);
    expect([...snippet]).toHaveLength(160);
  });

  it('refuses invisible text', async () => {
    for (const q of ['', ' ', '\u200b', '\u2800', '\u3164', '\u0301']) {
      const { status, body } = await ada.get(`/conversations/search?q=${encodeURIComponent(q)}`);
      expect([status, (body.errors as { field: string }[])[0]!.field]).toEqual([422, 'q']);
    }
  });

  it('ignores segments of another version, and rebuilds them', async () => {
    const [needle] = await write(ada, conversationId, ['ПРИВЕТ', ...hay(MOST - 1)]);
    await index(ada, MOST);
    const claimedAt = new Date(Date.now() - HOUR_MS);
    await t.manager.update(SearchSegment, { userId: ada.id }, { version: 0, claimedAt });
    await t.manager.query('DELETE FROM search_bits');

    expect(await search(ada, 'привет')).toEqual([needle]);
    await until(async () =>
      (await segmentsOf(ada)).some(({ version, ready }) => version === INDEX_VERSION && ready),
    );
    expect(await search(ada, 'привет')).toEqual([needle]);
  });
});

describe('index segments', () => {
  it('are built only for long histories, after a search that scanned', async () => {
    await write(ada, conversationId, hay(3 * MOST));
    const eve = await t.user().create();
    await write(eve, (await eve.createConversation()).id, hay(LEAST - 1));
    expect(await segmentsOf(ada)).toEqual([]);

    const segments = await index(ada, 3 * MOST);
    await search(eve, ABSENT);
    expect(segments.map(({ messageCount }) => messageCount)).toEqual([MOST, MOST, MOST]);
    for (const [at, segment] of segments.slice(1).entries())
      expect(segment.firstMessageId).toBe(segments[at]!.lastMessageId + 1);
    // Users are indexed one at a time, so her segment would exist before this one.
    await write(ada, conversationId, hay(LEAST));
    await index(ada, 3 * MOST + LEAST);
    expect(await segmentsOf(eve)).toEqual([]);
  });

  it('end before a running reply and the newest messages', async () => {
    const streaming = { status: 'streaming', streamingIn: conversationId } as const;
    await write(ada, conversationId, hay(LEAST));
    const [reply] = await write(ada, conversationId, [''], streaming);
    await write(ada, conversationId, hay(2 * LEAST));
    await index(ada, LEAST);
    await t.manager.update(
      Message,
      { id: reply },
      { content: 'a needle', status: 'complete', streamingIn: null },
    );
    await write(ada, conversationId, hay(LEAST), { createdAt: new Date() });

    const segments = await index(ada, LEAST + MOST - 3);
    expect(segments.map(({ messageCount }) => messageCount)).toEqual([LEAST, 2 * LEAST + 1]);
    expect(await search(ada, 'needle')).toEqual([reply]);
  });

  it('are rebuilt when one in the middle is missing, even if it is short', async () => {
    const ids = await write(ada, conversationId, hay(4 * MOST));
    const [, { id, firstMessageId, lastMessageId }] = (await index(ada, 4 * MOST)) as [
      unknown,
      SearchSegment,
    ];
    await t.manager.delete(SearchSegment, { id });
    await t.manager.delete(Message, { userId: ada.id, id: Between(firstMessageId + 3, lastMessageId) });

    const needle = ids.find((message) => message >= firstMessageId)!;
    expect(await search(ada, `hay ${ids.indexOf(needle)}`)).toEqual([needle]);
    const after = await untilIndexed(ada, 3 * MOST + 3);
    expect(after.map(({ messageCount }) => messageCount)).toEqual([MOST, 3, MOST, MOST]);
    expect(after[1]).toMatchObject({ firstMessageId, lastMessageId });
  });

  it('are deleted with their user', async () => {
    await write(ada, conversationId, hay(MOST));
    const [segment] = await index(ada, MOST);
    await t.manager.query('DELETE FROM users WHERE id = ?', [ada.id]);

    expect(await segmentsOf(ada)).toEqual([]);
    expect(await t.manager.countBy(SearchPosting, { segmentId: segment!.id })).toBe(0);
  });
});

describe('deleting an indexed conversation', () => {
  const isRemembered = async () => {
    const segmentId = (await segmentsOf(ada)).map(({ id }) => id);
    const [bucket] = bucketsOf(SECRET);
    const counts = await Promise.all(
      segmentId.map((id) => t.manager.countBy(SearchPosting, { segmentId: id, bucket })),
    );
    return counts.some((count) => count > 0);
  };

  it('removes its words from its segments, and leaves the others unchanged', async () => {
    const { id: other } = await ada.createConversation();
    await write(ada, other, hay(2 * MOST));
    await write(ada, conversationId, [SECRET]);
    const needle = await write(ada, other, ['a needle', ...hay(2 * MOST - 2)]);
    const before = await index(ada, 4 * MOST);
    expect(await isRemembered()).toBe(true);
    // An old claim, so that the deletion is not mistaken for one during the build.
    await t.manager.update(SearchSegment, { userId: ada.id }, { claimedAt: new Date(Date.now() - HOUR_MS) });

    await ada.post(`/conversations/${conversationId}/delete`);
    const after = await untilIndexed(ada, 4 * MOST - 1);
    expect(await isRemembered()).toBe(false);
    expect(await search(ada, 'needle')).toEqual([needle[0]]);
    const ids = (segments: SearchSegment[]) => segments.map(({ id }) => id);
    expect(ids(after).filter((id) => !ids(before).includes(id))).toHaveLength(1);
  });

  it('keeps the other messages searchable until the next search rebuilds the segment', async () => {
    const { id: other } = await ada.createConversation();
    const needle = await write(ada, other, ['a needle', ...hay(LEAST)]);
    await write(ada, conversationId, [SECRET]);
    await index(ada, LEAST + 2);
    // The state after a node crashes at this point.
    await t.manager.query('DELETE FROM messages WHERE conversation_id = ?', [conversationId]);
    await t.manager.update(SearchSegment, { userId: ada.id }, { tombstoned: true });

    expect(await search(ada, SECRET)).toEqual([]);
    expect(await search(ada, 'needle')).toEqual([needle[0]]);
    await untilIndexed(ada, LEAST + 1);
    expect(await isRemembered()).toBe(false);
  });

  it('is noticed by a segment that is being built', async () => {
    const { id: other } = await ada.createConversation();
    await write(ada, other, hay(LEAST));
    await write(ada, conversationId, [SECRET, ...big(LEAST)]);
    await search(ada, ABSENT);
    await until(async () => (await segmentsOf(ada)).length > 0);
    // Old enough that only the deletion can reveal the change.
    const claimedAt = new Date(Date.now() - 60_000);
    await t.manager.update(SearchSegment, { userId: ada.id }, { claimedAt });
    await ada.post(`/conversations/${conversationId}/delete`);

    await untilIndexed(ada, LEAST);
    expect(await isRemembered()).toBe(false);
  });

  // SQLite runs one transaction at a time.
  onMysql('on MySQL', () => {
    it('is noticed by a segment that is built during the deletion', async () => {
      await write(ada, (await ada.createConversation()).id, hay(LEAST));
      await write(ada, conversationId, [SECRET]);
      const searchIndex = t.app.get(SearchIndex);
      const began = new Date();
      await t.manager.transaction(async (deletion) => {
        await searchIndex.tombstone(deletion, ada.id, conversationId);
        await deletion.delete(Conversation, { id: conversationId });
        await index(ada, LEAST + 1);
      });
      expect(await isRemembered()).toBe(true);
      searchIndex.requestRebuild(ada.id, began);

      await untilIndexed(ada, LEAST);
      expect(await isRemembered()).toBe(false);
    });
  });
});

/** Messages slow enough to index that a test observes the start, even under load. */
const big = (count: number) => Array.from({ length: count }, (_, index) => `big ${index} `.repeat(200_000));

describe('an indexing claim', () => {
  const claim = (claimedAt: Date) =>
    t.manager.insert(SearchSegment, {
      userId: ada.id,
      firstMessageId: 0,
      lastMessageId: 0,
      messageCount: 0,
      ready: false,
      tombstoned: false,
      claimedAt,
      messageIds: Buffer.alloc(0),
    });

  it('of another node is respected until it expires', async () => {
    const eve = await t.user().create();
    const [needle] = await write(ada, conversationId, ['a needle', ...hay(MOST)]);
    await write(eve, (await eve.createConversation()).id, hay(MOST));
    await claim(new Date());
    await search(ada, ABSENT);
    await index(eve, MOST);

    expect(await segmentsOf(ada)).toMatchObject([{ ready: false }]);
    expect(await search(ada, 'needle')).toEqual([needle]);
    await t.manager.update(SearchSegment, { userId: ada.id }, { claimedAt: new Date(Date.now() - HOUR_MS) });
    await index(ada, MOST);
    expect(await search(ada, 'needle')).toEqual([needle]);
  });

  it('stops its former owner when lost', async () => {
    await write(ada, conversationId, ['a needle', ...big(LEAST)]);
    await search(ada, ABSENT);
    await until(async () => (await t.manager.delete(SearchSegment, { userId: ada.id })).affected === 1);
    const eve = await t.user().create();
    await write(eve, (await eve.createConversation()).id, hay(MOST));
    await index(eve, MOST);

    expect(await segmentsOf(ada)).toEqual([]);
    await index(ada, LEAST + 1);
    expect(await search(ada, 'needle')).toHaveLength(1);
  });

  it('is released by a node that shuts down, without finishing', async () => {
    await write(ada, conversationId, ['a needle', ...big(LEAST)]);
    await search(ada, ABSENT);
    await until(async () => (await segmentsOf(ada)).length > 0);
    await t.restart();

    const [left] = await segmentsOf(ada);
    expect(left).toMatchObject({ ready: false, claimedAt: new Date(0) });
    await index(ada, LEAST + 1);
    expect(await search(ada, 'needle')).toHaveLength(1);
  });

  it('is granted to one of two nodes', async () => {
    const node = await t.startNode();
    try {
      await write(ada, conversationId, hay(10 * MOST));
      await Promise.all([search(ada, ABSENT), search(ada.on(node), ABSENT)]);
      // The node without the claim leaves the work to the other.
      const segments = await untilIndexed(ada, 10 * MOST);
      expect(segments.map(({ messageCount }) => messageCount)).toEqual(Array(10).fill(MOST));
      expect(await search(ada, 'hay')).toHaveLength(10 * MOST);
    } finally {
      await node.stop();
    }
  });
});
