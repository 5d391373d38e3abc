import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseEnv } from 'node:util';
import { environmentSchema } from '../../src/env/environment.js';

const root = join(__dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const filesUnder = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path));

const documents = [...readdirSync(root), ...filesUnder('docs')].filter((path) => path.endsWith('.md'));
const sources = ['src', 'test', 'migrations', 'deploy', 'bench', 'scripts'].flatMap(filesUnder);
const fileNames = new Set(sources.map((path) => basename(path)));

const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, group = '']) => group);
const codeBlocks = (text: string) => text.match(/^```[^]*?^```$/gm) ?? [];
const inlineCode = (text: string) => matches(text.replace(/^```[^]*?^```$/gm, ''), /`([^`\n]+)`/g);

/** Of a module that is named without its folder, the reader is the author. */
const PATH = /^([\w./-]+(\.(ts|js|py|sh|md|ya?ml)|\/)|[\w.-]+\/[\w./-]+\.mjs)$/;

/** Documents name files in full, or by their name alone where a folder was said before. */
const isThere = (path: string) =>
  existsSync(join(root, path)) || existsSync(join(root, 'src', path)) || fileNames.has(path);

const linksIn = (text: string) => matches(text, /\]\((?!https?:)([^)#]+)/g);
const pathsIn = (text: string) => inlineCode(text).filter((code) => PATH.test(code));
const scriptsIn = (text: string) => matches(text, /\bnpm run ([a-z:]+[a-z])/g);
const quotesIn = (text: string) => matches(text, /“([^”]+)”/g);

it.each([
  ['links', linksIn, 30],
  ['paths', pathsIn, 60],
  ['scripts', scriptsIn, 10],
  ['quoted tests', quotesIn, 60],
])('finds %s to check', (_, findIn, atLeast) => {
  const found = documents.flatMap((document) => findIn(read(document)));

  expect(found.length).toBeGreaterThan(atLeast);
});

describe.each(documents)('%s', (document) => {
  const text = read(document);

  it('links to what there is', () => {
    const targets = linksIn(text);

    expect(targets.filter((target) => !existsSync(join(root, document, '..', target)))).toEqual([]);
  });

  it('names files and folders that there are', () => {
    const paths = pathsIn(text);

    expect(paths.filter((path) => !isThere(path))).toEqual([]);
  });

  it('names scripts that there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = scriptsIn(text);

    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it('quotes tests that there are', () => {
    const specs = sources.filter(
      (path) => path.endsWith('spec.ts') || (path.startsWith('test/support/') && path.endsWith('.ts')),
    );
    // A name stands in a line of its own where the whole is too long.
    const tests = specs.map((path) => read(path).replace(/\(\s+'/g, "('"));
    const quoted = document.startsWith('docs') ? quotesIn(text) : [];

    expect(quoted.filter((name) => !tests.some((source) => source.includes(`('${name}'`)))).toEqual([]);
  });
});

describe('docs/security.md', () => {
  it('has a test for every requirement that it calls met', () => {
    const [, table = ''] = read('docs/security.md').split('### V1 ');
    const rows = table.match(/^\| +\d.*$/gm)!.map((row) => row.split('|').map((cell) => cell.trim()));

    expect(rows.length).toBeGreaterThan(80);
    expect(rows.filter(([, , , , test]) => !/[“`]/.test(test!)).map(([, number]) => number)).toEqual([]);
  });
});

describe.each(['README.md', 'README.zh-CN.md'])('the settings of %s', (document) => {
  const rows = [...read(document).matchAll(/^\| `([A-Z_]+)` +\| (.+?) +\|/gm)];

  it('are every setting and no other', () => {
    const names = Object.keys(environmentSchema(false).shape);

    expect(rows.map(([, name]) => name).sort()).toEqual(names.sort());
  });

  it('have the defaults of .env.example', () => {
    const defaults = parseEnv(read('.env.example')) as Record<string, string>;
    const others = rows.filter(([, name]) => defaults[name!]);

    expect(others.length).toBeGreaterThan(5);
    expect(others.map(([, name, shown]) => [name, shown])).toEqual(
      others.map(([, name]) => [name, `\`${defaults[name!]}\``]),
    );
  });
});

describe('README.zh-CN.md', () => {
  const [english, chinese] = [read('README.md'), read('README.zh-CN.md')];
  const outline = (text: string) => matches(text.replace(/^```[^]*?^```$/gm, ''), /^(#+|- |\d+\.|\|)/gm);

  it('keeps step with README.md, section by section', () => {
    expect(outline(chinese)).toEqual(outline(english));
  });

  it('has the same commands, code and pictures', () => {
    expect(codeBlocks(chinese)).toEqual(codeBlocks(english));
  });
});
