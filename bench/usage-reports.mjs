/**
 * Times usage reports over 30 days of 100,000 users with one model and configuration each, 3,000,480 rows, in an empty
 * database that it fills:
 *
 *   npm run build && node bench/usage-reports.mjs sqlite:/tmp/usage.db
 *   node bench/usage-reports.mjs mysql://root@127.0.0.1:3306/usage
 */
import { createDataSource } from '../dist/src/database/data-source.js';
import { SCHEMA } from '../dist/src/schema.js';
import { PARTITIONS } from '../dist/src/usage/daily-usage.entity.js';
import { addDays } from '../dist/src/usage/usage-dates.js';
import { UsageReports } from '../dist/src/usage/usage-reports.service.js';
import { median } from './support/stats.mjs';

const USERS = 100_000;
const DAYS = 30;
const ROUNDS = 5;
const FIRST_DAY = '2026-01-01';

const dataSource = await createDataSource(process.argv[2], SCHEMA).initialize();
await dataSource.runMigrations();
const dates = Array.from({ length: DAYS }, (_, n) => addDays(FIRST_DAY, n));
for (const date of dates) await fill(date);
// The newest user, up to whom reports read.
await dataSource.query(
  `INSERT INTO users (id, username, username_key, created_at) VALUES (${USERS}, 'last', 'last', '${FIRST_DAY} 00:00:00')`,
);
if (!process.argv[2].startsWith('sqlite:')) await dataSource.query('ANALYZE TABLE daily_usage');

const reports = new UsageReports(dataSource);
const range = { from: FIRST_DAY, to: dates.at(-1) };
for (const userId of [7, null])
  for (const group of ['day', 'model', 'config', 'user']) {
    const times = [];
    let rows;
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      rows = await reports.list(userId, { ...range, group });
      times.push(performance.now() - start);
    }
    console.log(
      `${userId ? 'one user' : 'all users'} by ${group}: ${median(times).toFixed(1)} ms, ${rows.length} rows`,
    );
  }
await dataSource.destroy();

/** A row a user and the sums of the partitions, as `addUsage` stores them. */
async function fill(date) {
  const digits = `(${Array.from({ length: 10 }, (_, n) => `SELECT ${n} AS n`).join(' UNION ALL ')})`;
  const user = '1 + a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n';
  await dataSource.query(
    `INSERT INTO daily_usage (date, user_id, model_name, config_id, replies, prompt_tokens, completion_tokens)
     SELECT '${date}', ${user}, 'model', ${user}, 10, 20000, 5000
     FROM ${digits} a, ${digits} b, ${digits} c, ${digits} d, ${digits} e`,
  );
  const share = USERS / PARTITIONS;
  for (let partition = 1; partition <= PARTITIONS; partition++)
    await dataSource.query(
      `INSERT INTO daily_usage (date, user_id, model_name, config_id, replies, prompt_tokens, completion_tokens)
       VALUES ('${date}', ${-partition}, 'model', 0, ${10 * share}, ${20_000 * share}, ${5000 * share})`,
    );
}
