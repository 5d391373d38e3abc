import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROBLEM_CODES } from '../docs/openapi/problem-codes.js';
import { en } from './app/i18n/en.js';
import { zh } from './app/i18n/zh.js';

const APP = join(import.meta.dirname, 'app');
const read = (path: string) => readFileSync(join(APP, path), 'utf8');
const paths = readdirSync(APP, { recursive: true, encoding: 'utf8' });
const scripts = paths.filter((path) => /\.tsx?$/.test(path));
const styles = paths.filter((path) => path.endsWith('.css'));
const fieldsNamed = (name: string) =>
  scripts.flatMap((path) => read(path).match(new RegExp(`<Field[^/]* name="${name}"[^/]*/>`, 'g')) ?? []);

describe('the playground', () => {
  it.each(['password', 'current_password', 'api_key'])(
    'masks what is typed as %s, and says nothing against pasting it',
    (name) => {
      expect(fieldsNamed(name).length).toBeGreaterThan(0);
      for (const field of fieldsNamed(name)) expect(field).toContain('type="password"');
      for (const path of scripts)
        expect([path, read(path)]).toEqual([path, expect.not.stringMatching(/onpaste/i)]);
    },
  );

  it('makes no HTML of text', () => {
    const html = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc/i;

    expect(scripts.length).toBeGreaterThan(40);
    for (const path of scripts) expect([path, read(path)]).toEqual([path, expect.not.stringMatching(html)]);
  });

  it('names nothing by a path from the root, so that it works under a path', () => {
    expect(read('index.html')).not.toMatch(/(?:src|href|action)="\//);
    for (const path of scripts)
      expect([path, read(path)]).toEqual([path, expect.not.stringMatching(/(?:href|src)="\//)]);
    for (const path of styles) expect(read(path)).not.toMatch(/url\(["']?\//);
  });

  it('loads nothing from other hosts, and has no inline script or style', () => {
    expect(read('index.html')).not.toMatch(/(?:src|href|action)="(?:https?:)?\/\//);
    expect(read('index.html')).not.toMatch(/<style| style=| on\w+=|<script(?![^>]* src=)/);
    for (const path of styles) expect(read(path)).not.toMatch(/@import|url\(["']?(?:https?:)?\/\//);
  });
});

describe('the texts of the playground', () => {
  it('are the same in English and Chinese, with the same parameters', () => {
    const kinds = (texts: typeof en) =>
      Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, typeof text]));

    expect(Object.keys(zh)).toEqual(Object.keys(en));
    expect(kinds(zh)).toEqual(kinds(en));
    expect(zh.suggestions.length).toBe(en.suggestions.length);
  });

  it('have the singular for one', () => {
    expect([en.userCounts(1, 0), en.userCounts(2, 1)]).toEqual([
      '1 conversation, 0 messages',
      '2 conversations, 1 message',
    ]);
  });

  it('are in Chinese, names aside', () => {
    const untranslated = Object.entries(zh).filter(
      ([key, text]) => typeof text === 'string' && !/\p{Script=Han}/u.test(text) && key !== 'language',
    );

    expect(untranslated.map(([key]) => key)).toEqual(['appName', 'searchShortcut']);
  });

  it.each(Object.keys(PROBLEM_CODES))('have a Chinese sentence for the problem %s', (code) => {
    expect(zh.problem(code, 'No sentence.')).toMatch(/\p{Script=Han}/u);
  });
});
