/** Upgrades of databases of earlier versions. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { EmailKey1764360000000 } from '../../migrations/1764360000000-EmailKey.js';
import { TitleKey1764360100000 } from '../../migrations/1764360100000-TitleKey.js';
import { SharedConfigs1764460100000 } from '../../migrations/1764460100000-SharedConfigs.js';
import { isMysql } from '../../src/database/data-source.js';
import { SCHEMA } from '../../src/schema.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;

beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t.stop());

const query = (sql: string, parameters: unknown[] = []) => t.app.get(DataSource).query(sql, parameters);

/** Reverts a migration and all later ones. */
async function undo(migration: (typeof SCHEMA.migrations)[number]): Promise<void> {
  const count = SCHEMA.migrations.length - SCHEMA.migrations.indexOf(migration);
  for (let left = count; left > 0; left--) await t.app.get(DataSource).undoLastMigration();
}

describe('canonical email addresses', () => {
  const logIn = async (email: string, { password }: TestUser) =>
    (await t.http.post('/auth/login', { email, password })).status;

  /** @returns users whose addresses were stored so by an earlier version */
  async function usersOf(emails: string[]): Promise<TestUser[]> {
    const users: TestUser[] = [];
    for (const email of emails) {
      const user = await t.user().create();
      await query('UPDATE users SET email = ? WHERE id = ?', [email, user.id]);
      users.push(user);
    }
    return users;
  }

  /** Earlier versions took them; none has a key. */
  const unusual = [
    'o\u00b4brien@example.com',
    'wait\u2026@example.com',
    'ada@xn--zzzzzz.com',
    'ada@\u05be.com',
  ];

  it('let every user log in as before and with other spellings', async () => {
    const emails = [
      'plain@example.com',
      'idn@bücher.example',
      'puny@xn--bcher-kva.example',
      '"quoted"@example.com',
      ...unusual,
    ];
    const users = await usersOf(emails);
    await undo(EmailKey1764360000000);
    await t.restart();

    for (const [at, user] of users.entries()) expect(await logIn(emails[at]!, user)).toBe(200);
    const others = [
      'pl\u00adain@example.com',
      'idn@xn--bcher-kva.example',
      'puny@Bücher.example',
      'quoted@example.com',
    ];
    for (const [at, other] of others.entries()) expect(await logIn(other, users[at]!)).toBe(200);
  });

  it('keep two accounts of one address apart, each with its own spelling', async () => {
    const emails = [
      'two@bücher.example',
      'two@xn--bcher-kva.example',
      't\u200bwo@bücher.example',
      't\u202ewo@bücher.example',
    ];
    const users = await usersOf(emails);
    await undo(EmailKey1764360000000);
    await t.restart();

    for (const [at, user] of users.entries()) {
      expect(await logIn(emails[at]!, user)).toBe(200);
      for (const other of users.filter((each) => each !== user))
        expect(await logIn(emails[at]!, other)).toBe(401);
    }
    const taken = await (
      await t.user().create()
    ).post('/auth/me/email', { email: 'TWO@bu\u0308cher.example' });
    expect(taken.status).toBe(409);
  });

  it('are completed by the next start after a killed one', async () => {
    const [user] = await usersOf(['half@bücher.example']);
    await undo(EmailKey1764360000000);
    await query('ALTER TABLE users ADD COLUMN email_key varchar(320)');
    await t.restart();

    expect(await logIn('half@xn--bcher-kva.example', user!)).toBe(200);
  });

  it('come with usernames folded again, unless the name is taken', async () => {
    const [ada, bob, eve] = [await t.user().create(), await t.user().create(), await t.user().create()];
    const rename = (user: TestUser, username: string, key: string) =>
      query('UPDATE users SET username = ?, username_key = ? WHERE id = ?', [username, key, user.id]);
    await undo(EmailKey1764360000000);
    await rename(ada, 'İnci', 'i\u0307nci');
    await rename(bob, 'bob\u2800', 'bob\u2800');
    await rename(eve, 'bob', 'bob');
    await t.restart();

    const taken = async (username: string) => (await eve.post('/auth/me/username', { username })).status;
    expect(await taken('inci')).toBe(409);
    expect(await taken('Bob')).toBe(200);
    expect((await bob.get('/auth/me')).body.username).toBe('bob\u2800');
  });
});

describe('the search keys of titles', () => {
  it.each([
    ['missing', []],
    [
      'half made',
      [
        'ALTER TABLE conversations ADD COLUMN title_key text',
        "UPDATE conversations SET title_key = 'trip 100%' WHERE title = 'Trip 100%'",
      ],
    ],
  ])('find earlier titles in any case: %s', async (_, halfWay) => {
    const ada = await t.user().create();
    for (const title of ['Trip 100%', 'ПРИВЕТ', 'Ｒｅｐｏｒｔ １２']) await ada.createConversation({ title });
    await undo(TitleKey1764360100000);
    for (const statement of halfWay) await query(statement);
    await t.restart();

    const found = async (q: string) =>
      (await ada.get<{ total: number }>(`/conversations?q=${encodeURIComponent(q)}`)).body.total;
    expect(await Promise.all(['TRIP', 'привет', 'report 12', 'none'].map(found))).toEqual([1, 1, 1, 0]);
  });
});

describe('shared configurations', () => {
  /** Makes the owner required again on SQLite, where undoing the migration does not. */
  async function requireOwner(): Promise<void> {
    if (isMysql(t.app.get(DataSource))) return;
    const [table] = await query("SELECT sql FROM sqlite_master WHERE name = 'model_configs'");
    const owner = '"user_id" integer';
    const sql = table.sql.replace('"model_configs"', '"old_configs"').replace(owner, `${owner} NOT NULL`);
    expect(sql).toContain(`${owner} NOT NULL`);
    for (const statement of [
      'PRAGMA foreign_keys = OFF',
      sql,
      'INSERT INTO old_configs SELECT * FROM model_configs',
      'DROP TABLE model_configs',
      'ALTER TABLE old_configs RENAME TO model_configs',
      'CREATE INDEX ix_model_configs_user_id ON model_configs (user_id)',
    ])
      await query(statement);
  }

  it('leave users and conversations their configurations', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation({ title: 'Mine', config_id: ada.configId });
    const before = (await ada.get('/auth/config')).body;
    await undo(SharedConfigs1764460100000);
    await requireOwner();
    await t.restart();

    expect((await ada.get('/auth/config')).body).toEqual(before);
    const rows = await query('SELECT config_id FROM conversations WHERE id = ?', [id]);
    expect(rows.map((row: { config_id: unknown }) => Number(row.config_id))).toEqual([ada.configId]);
    const config = { model_url: t.provider.url, model_name: 'new' };
    expect((await ada.post('/auth/config/create', config)).body.id).toBeGreaterThan(ada.configId!);
  });
});
