import { describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { environmentSchema } from './environment.js';
import { checkEncryptionKey, checkJwtSecret, checkWebhookSecret } from './rules/secret-rules.js';
import { loadSettings } from './settings.js';

const root = join(import.meta.dirname, '../..');
const settingNames = Object.keys(environmentSchema(false).shape);

/** Published files: top-level pages, and the folders of documents, examples and test data. */
function publishedFiles(): string[] {
  const pages = readdirSync(root).filter((name) =>
    /\.md$|^\.env\.example$|^Dockerfile$|compose.*\.ya?ml$/.test(name),
  );
  const folders = ['docs', 'deploy', 'test/data']
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    );
  return [...pages.map((name) => join(root, name)), ...folders];
}

describe('.env.example', () => {
  const text = readFileSync(join(root, '.env.example'), 'utf8');

  it('lists exactly the existing settings', () => {
    const named = [...text.matchAll(/^(?:# )?([A-Z_]+)=/gm)].map(([, name]) => name);

    expect(named.sort()).toEqual([...settingNames].sort());
  });

  it('changes no default when copied unchanged', () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'parley-example-'));
    try {
      const example: NodeJS.ProcessEnv = parseEnv(text);
      expect(example.DATA_DIR).toBe('./data');
      expect(loadSettings({ ...example, DATA_DIR: dataDir })).toEqual(loadSettings({ DATA_DIR: dataDir }));
    } finally {
      rmSync(dataDir, { recursive: true });
    }
  });
});

describe('deploy/compose.yaml', () => {
  it('stops a node only after its shutdown delay and grace period', () => {
    const compose = readFileSync(join(root, 'deploy/compose.yaml'), 'utf8');
    const [, graceSeconds] = /stop_grace_period: (\d+)s/.exec(compose)!;
    const { SHUTDOWN_DELAY_S: delay, SHUTDOWN_GRACE_S: grace } = environmentSchema(true).shape;
    const secondsAfterwards = 9;

    expect(Number(graceSeconds)).toBeGreaterThan(
      delay.parse(undefined) + grace.parse(undefined) + secondsAfterwards,
    );
  });
});

describe('deploy/helm/parley', () => {
  const read = (path: string) => readFileSync(join(root, 'deploy/helm/parley', path), 'utf8');
  const schema = JSON.parse(read('values.schema.json')) as {
    properties: Record<'config' | 'secrets', { properties: object }>;
  };
  const { config, secrets } = schema.properties;

  it('takes every setting, except those that it sets itself or that the image fixes', () => {
    const fixed = ['NODE_ENV', 'PORT', 'METRICS_PORT', 'DATA_DIR'];
    const credentials = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
    const named = [...Object.keys(config.properties), ...Object.keys(secrets.properties)];

    expect(named.sort()).toEqual(
      [...settingNames, ...credentials].filter((name) => !fixed.includes(name)).sort(),
    );
  });

  it('deploys the version of package.json', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

    expect(/^appVersion: (.*)$/m.exec(read('Chart.yaml'))?.[1]).toBe(version);
  });

  it('computes the termination grace period from the defaults of the server', () => {
    const helpers = read('templates/_helpers.tpl');
    const defaultOf = (name: string) =>
      new RegExp(`config\\.${name} \\| default "(\\d+)"`).exec(helpers)?.[1];
    const { SHUTDOWN_DELAY_S: delay, SHUTDOWN_GRACE_S: grace } = environmentSchema(true).shape;

    expect(defaultOf('SHUTDOWN_DELAY_S')).toBe(String(delay.parse(undefined)));
    expect(defaultOf('SHUTDOWN_GRACE_S')).toBe(String(grace.parse(undefined)));
  });
});

describe('the documents and test data', () => {
  const texts = publishedFiles().map((path) => readFileSync(path, 'utf8'));

  it('contain no valid Fernet key', () => {
    const keys = texts.flatMap((text) => text.match(/(?<![\w+/=-])[\w-]{43}=(?![\w=])/g) ?? []);

    expect(keys).not.toEqual([]);
    expect(keys.filter((key) => checkEncryptionKey(key) === null)).toEqual([]);
  });

  it('contain no valid webhook secret', () => {
    const secrets = texts.flatMap((text) => text.match(/whsec_[\w+/=-]+/g) ?? []);

    expect(secrets).not.toEqual([]);
    expect(secrets.filter((secret) => checkWebhookSecret(secret) === null)).toEqual([]);
  });

  it('contain no valid JWT secret', () => {
    const secrets = texts.flatMap((text) =>
      [...text.matchAll(/JWT_SECRETS['"]?\s*[=:]\s*['"]?([^\s'"`,$]+)/g)].map(([, secret = '']) => secret),
    );

    expect(secrets.filter((secret) => checkJwtSecret(secret) === null)).toEqual([]);
  });
});
