import { availableParallelism } from 'node:os';
import { insert } from '../support/database.mjs';
import { conversationRow, FIRST_ID } from '../support/accounts.mjs';
import { median, summary } from '../support/stats.mjs';
import { Stage } from '../support/stage.mjs';
import { interleave, mapValues } from './tokens.mjs';

const USERS = 100;
const CONVERSATIONS = 30;
const REQUESTS = 2000;
const CONCURRENCY = 16;
/** The parameters of src/auth/passwords/password.service.ts. */
const HASHINGS_AT_ONCE = Math.min(2, Math.max(1, availableParallelism() - 1));

/** CPU per request for a list of 20 conversations. */
export const list = {
  name: 'list',
  needs: ['mysqlUrl'],
  ownStage: true,
  async run(context) {
    const stage = await Stage.open({ ...context, users: USERS });
    await insert(stage.database, 'conversations', conversations());
    const processes = { bare: await stage.baseline('parts/bare-list.mjs'), parley: stage.parley };
    const runs = await interleave(context.rounds + 2, Object.keys(processes), (kind) =>
      stage.profiled(kind, [processes[kind]], () => costOfList(stage, processes[kind])),
    );
    await stage.close();
    // The first two rounds warm up the code.
    const costs = mapValues(runs, (each) => each.slice(2));
    const ratio = median(costs.parley.map((cost, round) => cost / costs.bare[round]));
    return [
      {
        what: 'GET /conversations, CPU a request, MySQL, ÷ bare list',
        goal: '≤ 2.5',
        figure: ratio,
        met: ratio <= 2.5,
        details: mapValues(costs, (each) => summary(each, 0)),
      },
    ];
  },
};

function conversations() {
  const rows = Array.from({ length: USERS * CONVERSATIONS }, (_, index) => index);
  return rows.map((index) => conversationRow(FIRST_ID + 1_000_000 + index, FIRST_ID + (index % USERS)));
}

async function costOfList({ client, accounts }, process) {
  const { users } = accounts;
  const requests = Array.from({ length: REQUESTS }, (_, index) => ({
    url: `${process.url}/conversations`,
    token: users[index % users.length].token,
  }));
  const before = process.cpuMs();
  await client.ask('requests', { requests, concurrency: CONCURRENCY });
  return ((process.cpuMs() - before) * 1000) / REQUESTS;
}

/** Logins per second, and the event-loop delay they cause. */
export const logins = {
  name: 'logins',
  ownStage: true,
  async run(context) {
    const stage = await Stage.open({ ...context, users: 1 });
    const { password } = stage.accounts.credentials;
    const [{ password_hash: hash }] = await stage.database.query(
      'SELECT password_hash FROM users WHERE id < 1000',
    );
    const argon2 = await stage.baseline('parts/bare-argon2.mjs');
    const raw = { hash, password, seconds: 3, concurrency: HASHINGS_AT_ONCE };
    const runs = await interleave(context.rounds, ['raw', 'parley'], (kind) =>
      kind === 'raw' ? argon2.ask('verify', raw) : loginsASecond(stage),
    );
    await stage.close();
    const ratio = median(runs.parley.map(({ rate }, round) => rate / runs.raw[round]));
    const delays = runs.parley.map((run) => run.delayMs);
    const rates = { parley: summary(runs.parley.map(({ rate }) => rate)), raw: summary(runs.raw) };
    return [
      {
        what: 'logins a second, ÷ raw argon2',
        goal: '≥ 0.9',
        figure: ratio,
        met: ratio >= 0.9,
        details: rates,
      },
      {
        what: 'event-loop delay while logins go on, p99, ms',
        goal: '≤ 20',
        figure: median(delays),
        met: median(delays) <= 20,
        details: summary(delays),
      },
    ];
  },
};

async function loginsASecond({ client, parley, accounts }) {
  const requests = Array(100).fill({ url: `${parley.url}/auth/login`, body: accounts.credentials });
  await parley.ask('startLoopDelay');
  const start = performance.now();
  await client.ask('requests', { requests, concurrency: 8 });
  const rate = (requests.length * 1000) / (performance.now() - start);
  const { p99 } = await parley.ask('endLoopDelay');
  return { rate, delayMs: p99 };
}
