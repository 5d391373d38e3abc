import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const PUBLIC = join(__dirname, 'public');
const read = (name: string) => readFileSync(join(PUBLIC, name), 'utf8');
const scripts = readdirSync(PUBLIC).filter((name) => name.endsWith('.js'));
const inputNamed = (name: string) =>
  new RegExp(`<input[^>]* name="${name}"[^>]*>`).exec(read('index.html'))?.[0];

describe('the playground', () => {
  it.each(['password', 'api_key'])(
    'masks what is typed as %s, and says nothing against pasting it',
    (name) => {
      expect(inputNamed(name)).toContain('type="password"');
      for (const file of ['index.html', ...scripts]) expect(read(file)).not.toMatch(/onpaste|['"]paste['"]/);
    },
  );

  it('makes no HTML of text', () => {
    expect(scripts.length).toBeGreaterThan(5);
    for (const script of scripts)
      expect([script, read(script)]).toEqual([
        script,
        expect.not.stringMatching(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc/),
      ]);
  });

  it('names nothing by a path from the root, so that it works under a path', () => {
    expect(read('index.html')).not.toMatch(/(?:src|href|action)="\//);
    for (const script of scripts) expect(read(script)).not.toMatch(/(?:from|import|fetch\() ?['"`]\//);
    expect(read('style.css')).not.toMatch(/url\(["']?\//);
  });

  it('has nothing of anybody else’s in it', () => {
    expect(read('index.html')).not.toMatch(/(?:src|href|action)="(?:https?:)?\/\//);
    expect(read('style.css')).not.toMatch(/@import|url\(["']?(?:https?:)?\/\//);
  });
});
