/**
 * Compares Parley with its baselines: `npm run bench -- [rows]`, see docs/performance.md. TEST_MYSQL_URL and
 * TEST_REDIS_URL set the servers for the rows that need them.
 */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { ROWS } from './rows/index.mjs';
import { pathOf } from './support/process.mjs';
import { Stage } from './support/stage.mjs';
import { printTable } from './support/table.mjs';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !ROWS.some((row) => row.name === name));
if (unknown.length > 0) {
  console.error(
    `No row is called ${unknown.join(', ')}; there are: ${ROWS.map((row) => row.name).join(', ')}`,
  );
  process.exit(1);
}

const context = {
  rounds: Number(process.env.BENCH_ROUNDS ?? 3),
  mysqlUrl: process.env.TEST_MYSQL_URL,
  redisUrl: process.env.TEST_REDIS_URL,
  nodeOptions: process.env.BENCH_NODE_OPTIONS?.split(' ').filter(Boolean) ?? [],
};
const results = [];
const began = performance.now();
for (const row of ROWS) {
  if (wanted.length > 0 && !wanted.includes(row.name)) continue;
  results.push(...(await measure(row)));
}
printTable(results);
await save(results);

async function measure(row) {
  const missing = (row.needs ?? []).filter((need) => !context[need]);
  if (missing.length > 0) {
    return [
      {
        row: row.name,
        what: `${row.name}: skipped, needs ${missing.join(', ')}`,
        goal: '',
        figure: null,
        met: null,
      },
    ];
  }
  console.error(`${((performance.now() - began) / 1000).toFixed(0)} s: ${row.name}`);
  const stage = row.ownStage ? undefined : await sharedStage();
  const figures = await row.run({ ...context, stage });
  return figures.map((figure) => ({ row: row.name, ...figure }));
}

async function sharedStage() {
  context.shared ??= await Stage.open(context);
  return context.shared;
}

async function save(results) {
  const machine = { node: process.version, cpu: cpus()[0].model, cores: cpus().length };
  const database = context.mysqlUrl ? 'mysql' : 'sqlite';
  const report = { at: new Date().toISOString(), machine, database, rounds: context.rounds, results };
  await writeFile(pathOf('results.json'), `${JSON.stringify(report, null, 2)}\n`);
  await context.shared?.close();
}
