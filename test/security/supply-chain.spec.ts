/** Dependencies of the product. */
import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');
const run = (script: string) =>
  promisify(execFile)(process.execPath, [script], { cwd: ROOT, maxBuffer: 2 ** 26 });

interface Locked {
  link?: boolean;
  dev?: boolean;
  integrity?: string;
  resolved?: string;
}
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Locked>;
};
const packages = Object.entries(lock.packages).filter(([path, { link }]) => path !== '' && !link);

describe('the lock file', () => {
  it('has a SHA-512 of every package, and no registry URL', () => {
    expect(packages.length).toBeGreaterThan(500);
    const weak = packages.filter(
      ([, { integrity, resolved }]) => !integrity?.startsWith('sha512-') || resolved,
    );
    expect(weak.map(([path]) => path)).toEqual([]);
  });

  it('is installed without install scripts', () => {
    expect(readFileSync(join(ROOT, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m);
  });
});

describe('the shipped package', () => {
  it('has compatible licenses only', async () => {
    expect((await run('scripts/licenses.mjs')).stdout).toMatch(/ 0 with an unknown or incompatible license/);
  });

  it('matches the bill of materials exactly', async () => {
    const { stdout } = await run('scripts/sbom.mjs');
    const { bomFormat, components } = JSON.parse(stdout) as {
      bomFormat: string;
      components: { name: string; hashes: unknown[] }[];
    };
    const names = components.map(({ name }) => name);

    expect(bomFormat).toBe('CycloneDX');
    expect(names).toEqual(expect.arrayContaining(['@nestjs/core', 'undici', 'argon2', 'socket.io']));
    expect(names).not.toContain('jest');
    expect(components.every(({ hashes }) => hashes.length > 0)).toBe(true);
  }, 60_000);

  it('is copied file by file into the image, without history or settings', () => {
    const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
    const [first, ...rules] = readFileSync(join(ROOT, '.dockerignore'), 'utf8').match(/^[^#\n].*$/gm)!;
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) =>
      names!.split(' '),
    );

    expect(first).toBe('*');
    const admitted = rules.filter((rule) => rule.startsWith('!')).map((rule) => rule.slice(1));
    expect(new Set(copied)).toEqual(new Set(admitted));
    expect(copied.filter((name) => /^\.(?!npmrc$)|\*/.test(name))).toEqual([]);
  });
});
