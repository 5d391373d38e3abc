/** docs/architecture.md against the source: its layers are those that `npm run structure` checks. */
import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const MOST_FILES = 15;

const architecture = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
const section = (title: string) => architecture.split(`\n## ${title}\n`)[1]!.split('\n## ')[0]!;

/** Node reads the configuration, as Jest does not import ES modules. */
const layers = (): string[][] =>
  JSON.parse(
    execFileSync(process.execPath, [
      '--input-type=module',
      '-e',
      `import { LAYERS } from '${join(ROOT, '.dependency-cruiser.mjs')}'; console.log(JSON.stringify(LAYERS))`,
    ]).toString(),
  );

describe('the layers of src', () => {
  it('are the rows of the table in docs/architecture.md, in its order', () => {
    const rows = [...section('The source').matchAll(/^\| (`.+?`) +\|/gm)].map(([, cell]) =>
      [...cell!.matchAll(/`([^`]+)`/g)].map(([, pattern]) => pattern),
    );

    expect(rows.length).toBeGreaterThan(30);
    expect(rows).toEqual(layers());
  });
});

describe('a folder of src', () => {
  const folders = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.spec.ts'))
    .map(({ parentPath }) => parentPath);

  it(`has at most ${MOST_FILES} files, tests aside`, () => {
    const crowded = [...new Set(folders)].filter(
      (folder) => folders.filter((each) => each === folder).length > MOST_FILES,
    );

    expect(folders.length).toBeGreaterThan(200);
    expect(crowded).toEqual([]);
  });
});

describe('a token', () => {
  const MOST_FILES_OF_A_TOKEN = 8;
  const pathsIn = (text: string) => [...text.matchAll(/`(src\/[^`]+\.ts)`/g)].map(([, path]) => path!);
  const lines = section('A token').split('\n');
  const shared = lines.filter((line) => /^\d\. /.test(line)).flatMap(pathsIn);
  const transports = lines.filter((line) => line.startsWith('| ') && pathsIn(line).length > 0);
  const ways = transports.map((line) => [line.split('|')[1]!.trim(), [...shared, ...pathsIn(line)]] as const);

  const importsOf = (path: string) =>
    [...readFileSync(join(ROOT, path), 'utf8').matchAll(/from '(\.[^']+)\.js'/g)].map(([, target]) =>
      join(path, '..', `${target}.ts`),
    );

  it('has a way over every transport', () => {
    expect(ways.map(([transport]) => transport.split(',')[0])).toEqual([
      ...['JSON', 'SSE', 'SSE', 'Socket.IO', 'WebSocket'],
    ]);
  });

  it.each(ways)(
    `passes through at most ${MOST_FILES_OF_A_TOKEN} files that import each other: %s`,
    (_, files) => {
      const pairs = files.slice(1).map((file, index) => [files[index]!, file] as const);
      const apart = pairs.filter(
        ([one, other]) => !importsOf(one).includes(other) && !importsOf(other).includes(one),
      );

      expect(files.length).toBeLessThanOrEqual(MOST_FILES_OF_A_TOKEN);
      expect(new Set(files).size).toBe(files.length);
      expect(apart).toEqual([]);
    },
  );

  it('reaches a transport through the streams alone', () => {
    const folder = 'src/chat/transports';
    const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
      .map((file) => join(folder, file));

    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((file) => importsOf(file).includes('src/events/event-hub.ts'))).toEqual([]);
  });
});
