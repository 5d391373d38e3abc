/** `npm run backup` and `npm run restore` of the embedded database. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestNodes, type TestNode, type TestNodes } from '../support/app/process.js';
import type { TestUser } from '../support/app/user.js';
import { onSqlite } from '../support/infrastructure/database.js';
import { gate } from '../support/provider/provider.js';

const BACKUP = join(import.meta.dirname, '../../dist/server/backup.js');
const USAGE = /^Usage: npm run backup -- <file>, or npm run restore -- <file>$/;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-backup-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(command: string, file: string, databaseUrl: string) {
  const env = { PATH: process.env.PATH, NODE_ENV: 'test', DATA_DIR: folder, DATABASE_URL: databaseUrl };
  const child = spawn(process.execPath, [BACKUP, command, file].filter(Boolean), { cwd: folder, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const [code] = (await once(child, 'close')) as [number];
  return { code, output: output.trim() };
}

it('leaves MySQL to its own tools', async () => {
  const { code, output } = await run('backup', join(folder, 'm'), 'mysql://root@127.0.0.1:1/parley');

  expect([code, output]).toEqual([2, 'Back up MySQL with its own tools: see docs/operations.md.']);
});

onSqlite('the backup of the embedded database', () => {
  let nodes: TestNodes;
  let node: TestNode;
  let ada: TestUser;

  beforeAll(async () => {
    nodes = await startTestNodes();
    node = await nodes.start();
    ada = await node.user().withConfig(nodes.provider).create();
  });
  afterAll(() => nodes.stop());

  const here = (command: string, file: string) => run(command, file, nodes.databaseUrl);

  it('has every message that was stored before, while others are written', async () => {
    const held = gate();
    nodes.provider.willStream('Half of it', held);
    const running = await ada.createConversation();
    const sse = await ada.sse(`/conversations/${running.id}/chat`, { content: 'Long' });
    await sse.until(({ type }) => type === 'message.delta');
    const done = await ada.createConversation({ title: 'Done' });
    nodes.provider.willStream('Whole 🎉');
    await ada.send(done.id, 'Short');
    const before = await ada.history(done.id);
    let isOver = false;
    const writing = (async () => {
      while (!isOver) await ada.createConversation({ title: 'x'.repeat(200) });
    })();

    const file = join(folder, 'copy.db');
    const backedUp = await here('backup', file);
    isOver = true;
    await writing;
    held.open();
    await sse.ended;

    expect(backedUp).toEqual({ code: 0, output: `Backed up to ${file}` });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const databaseUrl = `sqlite:${join(folder, 'elsewhere.db')}`;
    expect(await run('restore', file, databaseUrl)).toEqual({ code: 0, output: 'Restored copy.db' });
    const other = await nodes.start({ DATABASE_URL: databaseUrl });
    const there = other.welcome(ada);
    expect(await there.history(done.id)).toEqual(before);
    const [, reply] = await there.history(running.id);
    expect('Half of it').toContain(reply!.content as string);
  });

  it('does not replace a database that is in use', async () => {
    const file = join(folder, 'in-use.db');
    await here('backup', file);

    const { code, output } = await here('restore', file);

    expect([code, output]).toEqual([1, expect.stringMatching(/test\.db is in use: stop Parley first\.$/)]);
    expect((await ada.get('/auth/me')).status).toBe(200);
  });

  it('keeps the database that it replaces', async () => {
    const [early, late] = [join(folder, 'early.db'), join(folder, 'late.db')];
    const databaseUrl = `sqlite:${join(folder, 'kept.db')}`;
    await here('backup', early);
    await ada.createConversation();
    await here('backup', late);
    await run('restore', late, databaseUrl);

    const { code, output } = await run('restore', early, databaseUrl);

    expect(code).toBe(0);
    const replaced = /The database that was there is (\S+)/.exec(output)![1]!;
    expect((await stat(replaced)).size).toBeGreaterThan(0);
  });

  it('never overwrites a file', async () => {
    const file = join(folder, 'precious');
    await writeFile(file, 'mine');

    expect(await here('backup', file)).toEqual({ code: 1, output: `${file} exists already.` });
  });

  it.each([
    ['restore', 'no-backup', 1, / is no backup of Parley\.$/],
    ['restore', 'missing.db', 1, / does not exist\.$/],
    ['backup', '', 2, USAGE],
    ['erase', 'x', 2, USAGE],
  ])('is refused with a reason: %s %s', async (command, name, expected, reason) => {
    await writeFile(join(folder, 'no-backup'), 'SQLite it is not');

    const { code, output } = await here(command, name && join(folder, name));

    expect(code).toBe(expected);
    expect(output).toMatch(reason);
  });
});
