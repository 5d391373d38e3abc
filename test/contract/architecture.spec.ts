/** docs/architecture.md against the source: its layers are those that `npm run structure` checks. */
import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
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
