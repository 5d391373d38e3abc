import { setTimeout as delay } from 'node:timers/promises';
import { FIRST_ID } from '../support/accounts.mjs';
import { longConversation, manyConversations } from '../support/history.mjs';
import { ABSENT, han, MARK, word } from '../support/prose.mjs';
import { median, percentile, summary } from '../support/stats.mjs';
import { Stage } from '../support/stage.mjs';

const MESSAGES = 1_000_000;
const CONVERSATIONS = 100_000;
const FEW = 100;
/** Default page length. */
const PAGE = 50;
const PAGES_BACK = 10_000;
const PAIRS = 200;
/** Time limit for one kind of query; slow ones run once. */
const SEARCHES = 20;
const SEARCH_MS = 1000;
/** Fewest messages of a segment (src/conversations/search/index/segment-sizes.ts). */
const LEAST_INDEXED = 8192;
const INDEXING_MS = 180_000;
const INDEX_POLL_MS = 100;
const KINDS = {
  frequent: word(2),
  usual: word(4000),
  phrase: `${word(3)} ${word(300)}`,
  rare: MARK,
  absent: ABSENT,
  'one letter': 'q',
  'Chinese, frequent': han(5),
  'Chinese, rare': han(2500) + han(2600),
  'Chinese, absent': han(5000) + han(5001),
};

/** Queries that fill a page quickly. */
const USUAL = ['frequent', 'usual', 'phrase', 'Chinese, frequent'];

/** Requests with a million messages and a hundred thousand conversations, compared with a hundred. */
export const size = {
  name: 'size',
  ownStage: true,
  async run(context) {
    const stage = await Stage.open({ ...context, users: 4 });
    try {
      return [...(await histories(stage)), await lists(stage), ...(await searches(stage))];
    } finally {
      await stage.close();
    }
  },
};

async function histories(stage) {
  const [owner] = stage.accounts.users;
  const short = await longConversation(stage, owner, FEW);
  const long = await longConversation(stage, owner, MESSAGES);
  const url = ({ id }, beforeId) =>
    `${stage.parley.url}/conversations/${id}${beforeId ? `?before_id=${beforeId}` : ''}`;
  const small = { url: url(short), token: owner.token };
  const back = long.lastId - PAGES_BACK * PAGE;
  return [
    await ratio(stage, 'newest page', 1.2, { url: url(long), token: owner.token }, small),
    await ratio(stage, `${PAGES_BACK} pages back`, 1.2, { url: url(long, back), token: owner.token }, small),
  ].map((figure) => ({ ...figure, what: `GET /conversations/{id}, 1,000,000 messages, ${figure.what}` }));
}

async function lists(stage) {
  const [, many, few] = stage.accounts.users;
  await manyConversations(stage, many, CONVERSATIONS, FIRST_ID + 1_000_000);
  await manyConversations(stage, few, FEW, FIRST_ID + 2_000_000);
  const url = `${stage.parley.url}/conversations`;
  const what = 'GET /conversations, a user with 100,000';
  return ratio(stage, what, 1.5, { url, token: many.token }, { url, token: few.token });
}

/** Sends requests of both kinds alternately, one at a time. */
async function ratio({ client }, what, goal, large, small) {
  const requests = Array.from({ length: PAIRS }, () => [large, small]).flat();
  const times = (await client.ask('requests', { requests, concurrency: 1 })).slice(PAIRS / 2);
  const [larges, smalls] = [0, 1].map((parity) => times.filter((_, index) => index % 2 === parity));
  const figure = median(larges) / median(smalls);
  const details = { milliseconds: summary(larges, 2), baseline: summary(smalls, 2) };
  return { what: `${what}, ÷ ${FEW}`, goal: `≤ ${goal}`, figure, met: figure <= goal, details };
}

async function searches(stage) {
  const indexing = await index(stage);
  const times = {};
  for (const [kind, text] of Object.entries(KINDS)) times[kind] = await timesOf(stage, text);
  const kinds = Object.fromEntries(Object.entries(times).map(([kind, each]) => [kind, summary(each)]));
  const usual = percentile(
    USUAL.flatMap((kind) => times[kind]),
    95,
  );
  const slowest = Math.max(...Object.values(times).map((each) => percentile(each, 95)));
  return [
    { what: 'what is found often, p95', figure: usual },
    { what: 'the slowest kind of query, p95', figure: slowest },
  ].map(({ what, figure }) => ({
    what: `search in 1,000,000 messages, ${what}, ms`,
    goal: '≤ 100',
    figure,
    met: figure <= 100,
    details: { ...kinds, indexing },
  }));
}

/** Waits for the index that the first full scan triggers. */
async function index({ client, parley, accounts, database }) {
  const [{ id, token }] = accounts.users;
  await parley.ask('startLoopDelay');
  const cpuMs = parley.cpuMs();
  const firstSearchMs = await timeOf(client, searchUrl(parley, ABSENT), token);
  const began = performance.now();
  const sql = 'SELECT SUM(ready * message_count) AS ready FROM search_blocks WHERE user_id = ?';
  for (;;) {
    const [{ ready }] = await database.query(sql, [id]);
    if (Number(ready) > MESSAGES + FEW - LEAST_INDEXED) break;
    if (performance.now() - began > INDEXING_MS) throw new Error(`Only ${ready} messages have been indexed.`);
    await delay(INDEX_POLL_MS);
  }
  return {
    firstSearchMs,
    seconds: (performance.now() - began) / 1000,
    cpuSeconds: (parley.cpuMs() - cpuMs) / 1000,
    loopDelayMs: await parley.ask('endLoopDelay'),
  };
}

async function timesOf({ client, parley, accounts }, text) {
  const [{ token }] = accounts.users;
  const times = [];
  for (let spent = 0; times.length < SEARCHES && spent < SEARCH_MS; spent += times.at(-1)) {
    times.push(await timeOf(client, searchUrl(parley, text), token));
  }
  return times;
}

const searchUrl = (parley, text) => `${parley.url}/conversations/search?q=${encodeURIComponent(text)}`;

async function timeOf(client, url, token) {
  const [ms] = await client.ask('requests', { requests: [{ url, token }], concurrency: 1 });
  return ms;
}
