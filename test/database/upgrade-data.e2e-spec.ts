/** Data written under the schema of each migration, read over HTTP after all later ones. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import argon2 from 'argon2';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSource, Table, TableColumn } from 'typeorm';
import { EncryptionService } from '../../src/encryption/encryption.service.js';
import { createDataSource } from '../../src/database/data-source.js';
import { Settings } from '../../src/env/settings.js';
import { SCHEMA } from '../../src/schema.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { TestUser } from '../support/app/user.js';
import { createTestDatabase, type TestDatabase } from '../support/infrastructure/database.js';
import { PlayedProvider } from '../support/provider/provider.js';
import { fernetKey } from '../support/secrets.js';

const PASSWORD = 'correct horse battery staple';
const NOW = new Date('2026-11-20T10:20:30.456Z');
const LATER = new Date('2099-01-01T00:00:00.000Z');
const KEY = fernetKey();
const encryption = new EncryptionService(Object.assign(new Settings(), { encryptionKeys: [KEY] }));

/** Tables whose rows belong to no user. */
const UNFILLED = ['deployment', 'nodes'];

type Values = Record<string, unknown>;

/** What is compared, of the user created under migration number `age`. */
const storedBy = (age: number) => ({
  email: `Ada.${age}@example.com`,
  username: `Ada ${age} ПРИВЕТ`,
  title: `Reise ${age} nach Köln`,
  question: `How old is ${age}? 👩‍💻 'quoted' "double" \\ line\nline`,
  answer: `It is ${age}. `.repeat(2000),
  reasoning: `Think about ${age}`,
  apiKey: `sk-of-${age}`,
});

/** Columns whose values have a meaning, where the schema of that age has them. */
function valuesOf(age: number, passwordHash: string): Record<string, Values[]> {
  const { email, username, title, question, answer, reasoning, apiKey } = storedBy(age);
  const message = { conversation_id: age, user_id: age, active: true, attempt: 1, created_at: NOW };
  const ended = { status: 'complete', completed_at: NOW };
  const user = { id: age, username, username_key: username.toLowerCase(), role: 'user', disabled_at: null };
  return {
    users: [
      {
        ...user,
        email: email.toLowerCase(),
        email_key: email.toLowerCase(),
        password_hash: passwordHash,
        conversation_count: 1,
        archived_count: 0,
        default_config_id: age,
      },
    ],
    sessions: [{ id: age, ip: '192.0.2.1', user_agent: 'Age', expires_at: LATER }],
    model_configs: [
      {
        id: age,
        model_url: provider.url,
        model_name: 'aged',
        encrypted_api_key: encryption.encrypt(apiKey),
        context_tokens: 8000,
        params: '{"temperature":0.5}',
      },
    ],
    conversations: [
      {
        id: age,
        title,
        title_key: title.toLowerCase(),
        title_source: 'user',
        params: '{}',
        pinned: false,
        archived: false,
        message_count: 2,
        active_message_id: age * 10 + 2,
      },
    ],
    messages: [
      { id: age * 10 + 1, ...message, ...ended, role: 'user', content: question, reasoning: '' },
      {
        id: age * 10 + 2,
        ...message,
        ...ended,
        role: 'assistant',
        content: answer,
        reasoning,
        parent_id: age * 10 + 1,
        finish_reason: 'stop',
        model_name: 'aged',
      },
    ],
    search_blocks: [{ id: age, ready: false, stale: true }],
  };
}

/** Inserts rows of one user into every table: values of {@link valuesOf}, else any that the column's type takes. */
async function fill(dataSource: DataSource, age: number, passwordHash: string): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  const names = dataSource.entityMetadatas.map(({ tableName }) => tableName);
  const tables = await runner.getTables(names.filter((name) => !UNFILLED.includes(name)));
  const values = valuesOf(age, passwordHash);
  const rows = new Map<string, Values>();
  for (const table of parentsFirst(tables)) {
    for (const given of values[plain(table.name)] ?? [{}]) {
      const row = Object.fromEntries(
        table.columns.flatMap((column) => {
          const value = valueOf(table, column, given, age, rows);
          return value === undefined ? [] : [[column.name, value]];
        }),
      );
      rows.set(plain(table.name), row);
      const places = Object.keys(row).map(() => '?');
      await runner.query(
        `INSERT INTO ${plain(table.name)} (${Object.keys(row)}) VALUES (${places})`,
        Object.values(row),
      );
    }
  }
  await runner.release();
  return tables.map(({ name }) => plain(name));
}

const plain = (name: string) => name.split('.').at(-1)!;

function parentsFirst(tables: Table[]): Table[] {
  const sorted: Table[] = [];
  const add = (table: Table) => {
    if (sorted.includes(table)) return;
    const parents = table.foreignKeys.map(({ referencedTableName }) => plain(referencedTableName));
    tables
      .filter((other) => other !== table && parents.includes(plain(other.name)))
      .forEach((parent) => add(parent));
    sorted.push(table);
  };
  tables.forEach(add);
  return sorted;
}

/**
 * @param rows the row of each parent table
 * @returns undefined for the column's own default
 */
function valueOf(
  table: Table,
  column: TableColumn,
  given: Values,
  age: number,
  rows: Map<string, Values>,
): unknown {
  const { name, type, isNullable, isGenerated, length } = column;
  if (name in given) return given[name] instanceof Date ? timeOf(given[name]) : given[name];
  const parent = table.foreignKeys.find(({ columnNames }) => columnNames.includes(name));
  if (parent) return rows.get(plain(parent.referencedTableName))?.[parent.referencedColumnNames[0]!];
  if (isGenerated || name === 'user_id') return age;
  if (isNullable || column.default !== undefined) return undefined;
  if (type.startsWith('datetime')) return timeOf(NOW);
  if (/int|bool/.test(type)) return age;
  if (/blob/.test(type)) return Buffer.alloc(0);
  return `${name}-${age}`.slice(0, Number(length) || undefined);
}

/** As both databases store times. */
const timeOf = (date: unknown) => (date as Date).toISOString().replace('T', ' ').slice(0, 23);

let folder: string;
let database: TestDatabase;
let provider: PlayedProvider;
let t: TestApp;
const filled: string[][] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-ages-'));
  database = await createTestDatabase(folder);
  provider = await PlayedProvider.start();
  const hash = await argon2.hash(PASSWORD, { memoryCost: 256, timeCost: 2, parallelism: 1 });
  for (const age of ages) {
    const migrations = SCHEMA.migrations.slice(0, age);
    const dataSource = await createDataSource(database.url, { ...SCHEMA, migrations }).initialize();
    await dataSource.runMigrations();
    filled.push(await fill(dataSource, age, hash));
    await dataSource.destroy();
  }
  t = await startTestApp({ env: { DATABASE_URL: database.url, ENCRYPTION_KEYS: KEY } });
}, 30_000);
afterAll(async () => {
  await t?.stop();
  await provider.stop();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

async function userOf(email: string): Promise<TestUser> {
  const login = await t.http.post('/auth/login', { email, password: PASSWORD });
  expect(login.status).toBe(200);
  const user = new TestUser({ url: () => t.url, opened: (each) => t.opened(each) }, '', email, PASSWORD);
  return Object.assign(user, { tokens: login.body });
}

/** How many migrations had run when the data was written. */
const ages = SCHEMA.migrations.map((_, at) => at + 1);

describe('data written under the schema of', () => {
  it.each(ages.map((age) => [SCHEMA.migrations[age - 1]!.name, age] as const))(
    '%s is kept',
    async (_, age) => {
      const { email, username, title, question, answer, reasoning, apiKey } = storedBy(age);
      const ada = await userOf(email);
      const get = async (path: string) => (await ada.get(path)).body;

      expect(await get('/auth/me')).toMatchObject({ id: age, username });
      const { conversations } = await get('/conversations?q=KÖLN');
      expect(conversations).toMatchObject([{ id: age, title }]);
      const { messages } = await get(`/conversations/${age}`);
      expect(messages).toEqual([
        expect.objectContaining({ role: 'user', content: question, created_at: NOW.toISOString() }),
        expect.objectContaining({ role: 'assistant', content: answer, reasoning, status: 'complete' }),
      ]);
      const { results } = await get(`/conversations/search?q=${encodeURIComponent(`OLD IS ${age}?`)}`);
      expect(results).toMatchObject([{ message: { id: age * 10 + 1 } }]);
      expect((await get('/auth/config')).configs).toMatchObject([{ id: age, is_default: true }]);
      await ada.send(age, 'And now?');
      expect(provider.requests.at(-1)!.headers.authorization).toBe(`Bearer ${apiKey}`);
    },
  );

  it('every table holds rows', () => {
    expect(filled.at(-1)).toHaveLength(SCHEMA.entities.length - UNFILLED.length);
  });
});
