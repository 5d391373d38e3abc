import { describe, expect, it } from '@jest/globals';
import { DECORATORS } from '@nestjs/swagger';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseEnv } from 'node:util';
import {
  ACCESS_TOKEN_SECONDS,
  REFRESH_TOKEN_SECONDS,
  STREAM_TICKET_SECONDS,
} from '../../src/auth/sessions/token-lifetimes.js';
import { MAX_REPLY_BYTES } from '../../src/ai/completion/completion-state.js';
import { MAX_LINE_BYTES } from '../../src/ai/completion/event-stream.js';
import { MAX_WAIT_SECONDS } from '../../src/ai/errors/provider-error-factory.js';
import { RecoveryPace } from '../../src/chat/replies/recovery/recovery-pace.js';
import { MAX_UNSAVED } from '../../src/chat/replies/reply-write-buffer.js';
import { MAX_WAITING_BYTES } from '../../src/chat/transports/shared/backpressure.js';
import { COMMANDS } from '../../src/chat/transports/shared/command-registry.js';
import { MAX_PAGE_BYTES } from '../../src/common/json/json-size.js';
import { SegmentSizes } from '../../src/conversations/search/index/segment-sizes.js';
import { EVENTS } from '../../src/docs/openapi/events.js';
import { PROBLEM_CODES } from '../../src/docs/openapi/problem-codes.js';
import { environmentSchema } from '../../src/env/environment.js';
import { CONCURRENCY_LIMITS, RATE_LIMITS } from '../../src/throttling/limits.js';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const filesUnder = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path));

const documents = [...readdirSync(root), ...filesUnder('docs'), 'sdk/README.md'].filter((path) =>
  path.endsWith('.md'),
);
const sources = ['src', 'test', 'migrations', 'deploy', 'bench', 'scripts'].flatMap(filesUnder);
const fileNames = new Set(sources.map((path) => basename(path)));

const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, group = '']) => group);
const codeBlocks = (text: string) => text.match(/^```[^]*?^```$/gm) ?? [];
const inlineCode = (text: string) => matches(text.replace(/^```[^]*?^```$/gm, ''), /`([^`\n]+)`/g);

/** A path, or the name of a source file. Module names of packages (`x.mjs`) do not count. */
const PATH = /^([\w./-]+(\.(ts|js|py|sh|md|ya?ml)|\/)|[\w.-]+\/[\w./-]+\.mjs)$/;

/** Documents name files by path, or by base name where the folder is clear. */
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

  it('links to existing files', () => {
    const targets = linksIn(text);

    expect(targets.filter((target) => !existsSync(join(root, document, '..', target)))).toEqual([]);
  });

  it('links to headings that there are', () => {
    const targets = [...text.matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)];
    const headings = (path: string) =>
      matches(read(path), /^#+ (.+)$/gm).map((heading) =>
        heading
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      );

    const missing = targets.filter(
      ([, path, anchor]) => !headings(path ? join(document, '..', path) : document).includes(anchor!),
    );
    expect(missing.map(([link]) => link)).toEqual([]);
  });

  it('names existing files and folders', () => {
    const paths = pathsIn(text);

    expect(paths.filter((path) => !isThere(path))).toEqual([]);
  });

  it('names existing npm scripts', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = scriptsIn(text);

    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it('quotes existing tests', () => {
    const specs = sources.filter(
      (path) => path.endsWith('spec.ts') || (path.startsWith('test/support/') && path.endsWith('.ts')),
    );
    // Prettier moves long names to a line of their own.
    const tests = specs.map((path) => read(path).replace(/\(\s+'/g, "('"));
    const quoted = document.startsWith('docs') ? quotesIn(text) : [];

    expect(quoted.filter((name) => !tests.some((source) => source.includes(`('${name}'`)))).toEqual([]);
  });
});

describe('docs/reply-engine.md', () => {
  it('names files without a folder only below src/chat', () => {
    const below = new Set(filesUnder('src/chat').map((path) => basename(path)));
    const names = pathsIn(read('docs/reply-engine.md')).filter((path) => !path.includes('/'));

    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !below.has(name))).toEqual([]);
  });
});

describe('comments', () => {
  it('name existing documents', () => {
    const code = sources.filter((path) => /\.(ts|tsx|mjs|ya?ml)$/.test(path) && !/spec\.ts$/.test(path));
    // Of the root, or with a folder; those of other places begin with more of a path.
    const named = code.flatMap((path) => matches(read(path), /(?<![\w./-])((?:docs\/)?[A-Za-z-]+\.md)\b/g));

    expect(named).toContain('docs/clients.md');
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

describe('docs/security.md', () => {
  it('names a test for every requirement marked as met', () => {
    const [, table = ''] = read('docs/security.md').split('### V1 ');
    const rows = table.match(/^\| +\d.*$/gm)!.map((row) => row.split('|').map((cell) => cell.trim()));

    expect(rows.length).toBeGreaterThan(80);
    expect(rows.filter(([, , , , test]) => !/[“`]/.test(test!)).map(([, number]) => number)).toEqual([]);
  });
});

/** Cells of the rows of the first table whose header starts with `header`. */
function tableIn(document: string, header: string): string[][] {
  const [, table = ''] = read(document).split(new RegExp(`^\\| ${header} .*\n\\| -.*\n`, 'm'));
  const rows = /^(\|.*\n)*/.exec(table)![0].trim().split('\n');
  return rows.map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe.each(documents.filter((path) => /^docs\/[^/]+$/.test(path)))('the names in %s', (document) => {
  it('are those of classes, functions, constants and columns that there are', () => {
    const code = sources.filter((path) => /\.(ts|js|mjs)$/.test(path)).map(read);
    // Nest's, and not used in Parley.
    const elsewhere = ['forwardRef'];
    const names = inlineCode(read(document)).filter((name) => /^[A-Za-z]+([A-Z_][a-z]*)+$/.test(name));

    const missing = names.filter((name) => !code.some((text) => text.includes(name)));
    expect(missing.filter((name) => !elsewhere.includes(name))).toEqual([]);
  });
});

describe('docs/performance.md', () => {
  it('has the figures of bench/results.json', () => {
    const { at, results } = JSON.parse(read('bench/results.json')) as {
      at: string;
      results: { what: string; goal: string; figure: number }[];
    };
    const [, figures = ''] = read('docs/performance.md').split(/<!-- \/?figures -->/);
    const rows = [...figures.matchAll(/^\| (\S.*?) +\| (\S.*?) +\| (\S+) +\|/gm)].slice(1);

    expect(figures).toContain(at.slice(0, 10));
    expect(rows.map(([, ...cells]) => cells)).toEqual(
      results.map(({ what, goal, figure }) => [what, goal, String(Number(figure.toPrecision(3)))]),
    );
  });
});

describe('docs/security.md on packages', () => {
  it('has the versions of the lock file', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { version: string }>;
    };
    const rows = tableIn('docs/security.md', 'Package');
    const shipped = rows.flatMap(([names, , , versions]) => {
      const each = versions!.split(', ');
      return names!.split(', ').map((name, index) => [name.replace(/ \(.*/, ''), each[index]]);
    });

    expect(shipped.length).toBeGreaterThan(10);
    expect(shipped).toEqual(shipped.map(([name]) => [name, packages[`node_modules/${name}`]?.version]));
  });
});

describe('figures in documents', () => {
  const { chat, credentials, failed_login, general, mails, notices, socket_events } = RATE_LIMITS;
  const { unauthenticated, wrong_codes } = RATE_LIMITS;
  const { minMessages, maxMessages, settledMs } = new SegmentSizes();
  const [hour, day] = [60 * 60, 24 * 60 * 60];
  const MIB = 1024 * 1024;
  const afterGraceSeconds = Number(/AFTER_GRACE_S = (\d+)/.exec(read('src/boot/serve.ts'))?.[1]);

  it.each([
    ['README.md', `valid for ${ACCESS_TOKEN_SECONDS === hour ? 'an hour' : '?'}`],
    ['README.md', `within ${STREAM_TICKET_SECONDS} s`],
    ['README.md', `Node ${engines().slice(2)} or newer`],
    [
      'README.md',
      `at most ${afterGraceSeconds} s more than delay and grace, ${shutdownSeconds()} s with production`,
    ],
    ['README.md', `a reply can have ${MAX_REPLY_BYTES / MIB} MiB`],
    ['docs/security.md', `Refresh tokens are valid for ${REFRESH_TOKEN_SECONDS / day} days`],
    ['docs/security.md', `A ticket works once, within ${STREAM_TICKET_SECONDS} s`],
    ['docs/security.md', `${credentials.amount} credential calls per minute and address`],
    ['docs/security.md', `${failed_login.amount} failed logins per account`],
    ['docs/security.md', `their own budget of ${failed_login.amount}`],
    ['docs/security.md', `${wrong_codes.amount} wrong codes a day`],
    ['docs/security.md', `a budget of ${notices.amount} an hour and address`],
    ['docs/security.md', `(${mails.amount} an hour per account`],
    ['docs/security.md', `${chat.amount} sends per user, ${general.amount} other calls per user or address`],
    ['docs/security.md', `${unauthenticated.amount} failed unauthenticated requests per address`],
    ['docs/security.md', `${socket_events.amount} events per socket`],
    ['docs/security.md', `${CONCURRENCY_LIMITS.running_replies} running replies`],
    ['docs/security.md', `${CONCURRENCY_LIMITS.socket_connections} sockets or event streams`],
    ['docs/security.md', `${CONCURRENCY_LIMITS.long_responses} long responses`],
    ['docs/security.md', `${CONCURRENCY_LIMITS.address_connections} sockets and`],
    ['docs/security.md', `${CONCURRENCY_LIMITS.address_handshakes} Socket.IO connections per address`],
    [
      'docs/reply-engine.md',
      `has not changed for ${new RecoveryPace().leaseMs / 1000} s on the observer's clock`,
    ],
    [
      'docs/reply-engine.md',
      `line has at most ${MAX_LINE_BYTES / MIB} MiB, a reply ${MAX_REPLY_BYTES / MIB} MiB`,
    ],
    ['docs/reply-engine.md', `a page ${Math.ceil(MAX_PAGE_BYTES / MIB)} MiB of JSON`],
    ['docs/reply-engine.md', `more than ${MAX_UNSAVED / MIB} Mi code units are unsaved`],
    ['docs/reply-engine.md', `closed when ${MAX_WAITING_BYTES / MIB} MiB is pending`],
    ['docs/provider-errors.md', `\`Retry-After\` if that is at most ${MAX_WAIT_SECONDS} s`],
    ['docs/provider-errors.md', `A reply over ${MAX_REPLY_BYTES / MIB} MiB`],
    ['docs/search-index.md', `covers ${inWords(minMessages)} to ${inWords(maxMessages)}`],
    ['docs/search-index.md', `Messages of the last ${settledMs / 60_000} minutes are left out`],
  ])('%s: %s', (document, phrase) => {
    expect(read(document)).toContain(phrase);
  });

  function shutdownSeconds(): number {
    const { SHUTDOWN_DELAY_S, SHUTDOWN_GRACE_S } = environmentSchema(true).shape;
    return SHUTDOWN_DELAY_S.parse(undefined) + SHUTDOWN_GRACE_S.parse(undefined) + afterGraceSeconds;
  }

  function inWords(count: number): string {
    return count.toLocaleString('en-US');
  }

  function engines(): string {
    return (JSON.parse(read('package.json')) as { engines: { node: string } }).engines.node;
  }
});

describe('CONTRIBUTING.md', () => {
  it('names the folders of tests', () => {
    const folders = new Set(
      sources
        .filter((path) => /^test\/.*\.spec\.ts$|^test\/.*-spec\.ts$/.test(path))
        .map((path) => path.split('/')[1]),
    );
    const listed = matches(read('CONTRIBUTING.md'), /^- (`[a-z`, ]+`):/gm).flatMap((names) =>
      matches(names, /`(\w+)`/g),
    );

    expect(listed.sort()).toEqual([...folders].sort());
  });
});

describe('docs/clients.md', () => {
  const text = read('docs/clients.md');

  it('quotes the examples that are tested', () => {
    const quotes = [...text.matchAll(/<!-- from (\S+) -->\n\n```\w+\n([^]+?)```/g)];

    expect(quotes.length).toBeGreaterThan(6);
    for (const [, path, code] of quotes) expect(read(path!)).toContain(code);
  });

  it('says what to do on every problem code, and what every event means', () => {
    const codes = tableIn('docs/clients.md', 'Code').flatMap(([names]) => matches(names!, /`([a-z_]+)`/g));
    const events = tableIn('docs/clients.md', 'Event').flatMap(([names]) => matches(names!, /`([\w.]+)`/g));

    expect(codes.sort()).toEqual(Object.keys(PROBLEM_CODES).sort());
    expect(events.sort()).toEqual(Object.keys(EVENTS).sort());
  });
});

/** The fields of a DTO, those that are optional with a question mark. */
function fieldsOf({ prototype }: new () => object): string[] {
  const names = Reflect.getMetadata(DECORATORS.API_MODEL_PROPERTIES_ARRAY, prototype) as string[];
  return names.map((name) => {
    const field = name.slice(1);
    const { required } = Reflect.getMetadata(DECORATORS.API_MODEL_PROPERTIES, prototype, field) as {
      required?: boolean;
    };
    return required === false ? `${field}?` : field;
  });
}

describe('README.md', () => {
  it('lists every event and command', () => {
    const namesIn = (header: string) =>
      tableIn('README.md', header).flatMap(([names]) => matches(names!, /`([\w.]+)`/g));

    expect(namesIn('Event').sort()).toEqual(Object.keys(EVENTS).sort());
    expect(namesIn('Command').sort()).toEqual(Object.keys(COMMANDS).sort());
  });

  it('lists the fields of every command', () => {
    const listed = tableIn('README.md', 'Command').map(([name, fields]) => [
      matches(name!, /`([\w.]+)`/g)[0],
      matches(fields!, /`([\w?]+)`/g),
    ]);
    const known = Object.entries(COMMANDS).map(([name, { dto }]) => [name, fieldsOf(dto)]);

    expect(new Map(listed as [string, string[]][])).toEqual(new Map(known as [string, string[]][]));
  });
});

describe.each(['README.md', 'README.zh-CN.md'])('the settings of %s', (document) => {
  const rows = [...read(document).matchAll(/^\| `([A-Z_]+)` +\| (.+?) +\|/gm)];

  it('are exactly the settings of the schema', () => {
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

  it('has the outline of README.md', () => {
    expect(outline(chinese)).toEqual(outline(english));
  });

  it('has the same commands, code and pictures', () => {
    expect(codeBlocks(chinese)).toEqual(codeBlocks(english));
  });
});
