/** MySQL and MariaDB with other settings than the defaults. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { createConnection } from 'mysql2/promise';
import { DataSource, type QueryRunner } from 'typeorm';
import { createDataSource } from '../../src/database/data-source.js';
import { EncryptionService } from '../../src/encryption/encryption.service.js';
import { rotateKeys } from '../../src/configs/key-rotation.js';
import { loadSettings } from '../../src/env/settings.js';
import { SCHEMA } from '../../src/schema.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { createTestDatabase, onMysql, type TestDatabase } from '../support/infrastructure/database.js';
import { onOwnServer, OWN_SERVER_MS, OwnServer } from '../support/infrastructure/own-server.js';
import type { TestUser } from '../support/app/user.js';
import { fernetKey } from '../support/secrets.js';

/** What people write, and what somebody writes who wants in. */
const TEXTS = [
  "it's",
  'say "hi"',
  '`tick`',
  'C:\\new\\table',
  '\\',
  "\\'",
  "\\\\'",
  '\\"',
  '100\\% sure\\_',
  '\\\\%',
  'tab\tline\nreturn\r\u001a\b',
  'a ? and ?? and :name',
  '/* no */ -- comment # either',
  '\u00bf\u5c5c \u{1f600}',
  "x')) >= 0 OR 1=1 -- ",
  "x\\')) >= 0 OR 1=1 -- ",
  "'; DROP TABLE users; -- ",
  "' OR ''='",
  'trailing space ',
];

/** Global settings of a server that break clients written for the defaults. */
const HOSTILE: [name: string, value: string, only?: 'mysql' | 'mariadb'][] = [
  [
    'sql_mode',
    "'ANSI,NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE'",
  ],
  ['sql_mode', "'ORACLE,EMPTY_STRING_IS_NULL,NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO'", 'mariadb'],
  ['autocommit', '0'],
  ['completion_type', "'CHAIN'"],
  ['time_zone', "'+05:45'"],
  ['character_set_server', 'latin1'],
  ['collation_server', 'latin1_german1_ci'],
  ['foreign_key_checks', '0', 'mysql'],
  ['unique_checks', '0', 'mysql'],
  ['sql_auto_is_null', '1'],
  ['sql_safe_updates', '1'],
  ['sql_select_limit', '1'],
  ['max_join_size', '1'],
  ['sql_big_selects', '0'],
  ['group_concat_max_len', '4'],
  ['default_storage_engine', 'MyISAM'],
  ['sql_require_primary_key', '1', 'mysql'],
  ['auto_increment_increment', '3'],
  ['auto_increment_offset', '2'],
  ['transaction_isolation', "'SERIALIZABLE'", 'mysql'],
  ['tx_isolation', "'SERIALIZABLE'", 'mariadb'],
  ['innodb_lock_wait_timeout', '500'],
  ['lock_wait_timeout', '500'],
  ['init_connect', `"SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES', autocommit = 0, NAMES latin1"`],
];

/** Holds on every database, whatever its settings. */
function keepsTexts(app: () => TestApp): void {
  let ada: TestUser;
  let eve: TestUser;
  beforeAll(async () => {
    ada = await app().user().withConfig(app().provider).create();
    eve = await app().user().create();
  });

  it.each(TEXTS)('stores and finds %j, for its owner only', async (text) => {
    const { id } = await ada.createConversation({ title: `t ${text}` });
    app().provider.willStream(`r ${text}`);
    const sent = await ada.send(id, `m ${text}`);
    const find = (user: TestUser, path: string) => user.get(`${path}?q=${encodeURIComponent(text.trim())}`);

    expect(sent).toMatchObject({ status: 200, body: { assistant_message: { content: `r ${text}` } } });
    expect(await ada.history(id)).toMatchObject([{ content: `m ${text}` }, { content: `r ${text}` }]);
    expect((await find(ada, '/conversations')).body.conversations).toContainEqual(
      expect.objectContaining({ id, title: `t ${text}` }),
    );
    expect((await find(ada, '/conversations/search')).body.results).not.toEqual([]);
    expect(await find(eve, '/conversations')).toMatchObject({ status: 200, body: { total: 0 } });
    expect(await find(eve, '/conversations/search')).toMatchObject({ status: 200, body: { results: [] } });
  });
}

describe('a database with default settings', () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startTestApp();
  });
  afterAll(() => t.stop());

  keepsTexts(() => t);
});

onOwnServer('a server with other defaults', () => {
  let server: OwnServer;
  let url: string;
  let t: TestApp;
  let ada: TestUser;

  beforeAll(async () => {
    server = await OwnServer.start();
    url = await server.createDatabase('parley', 'latin1');
    if (server.kind === 'mysql') {
      // Not a superuser, for whom init_connect would be left out.
      await server.query("CREATE USER parley IDENTIFIED BY 'secret'");
      await server.query('GRANT ALL ON parley.* TO parley');
      url = server.url('parley', 'parley:secret');
    }
    for (const [name, value, only = server.kind] of HOSTILE) {
      if (only === server.kind) await server.query(`SET GLOBAL ${name} = ${value}`);
    }
    t = await startTestApp({ env: { DATABASE_URL: url } });
    ada = await t.user().withConfig(t.provider).create();
  }, OWN_SERVER_MS);
  afterAll(async () => {
    await t?.stop();
    await server.stop();
  });

  keepsTexts(() => t);

  it('has committed acknowledged writes, with times in UTC', async () => {
    const { id } = await ada.createConversation();
    await ada.send(id, 'Hi');
    const outside = await createDataSource(server.url('parley'), SCHEMA).initialize();
    const rows = await outside.query<{ status: string; age: number }[]>(
      `SELECT status, ABS(TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP())) AS age FROM messages
       WHERE conversation_id = ?`,
      [id],
    );
    await outside.destroy();

    expect(rows.map(({ status }) => status)).toEqual(['complete', 'complete']);
    expect(Math.max(...rows.map(({ age }) => age))).toBeLessThan(60);
  });

  it('deletes everything of a deleted conversation', async () => {
    const { id } = await ada.createConversation();
    await ada.send(id, 'Hi');

    expect((await ada.post(`/conversations/${id}/delete`)).status).toBe(204);
    const messages = t.app.get(DataSource).query('SELECT id FROM messages WHERE conversation_id = ?', [id]);
    expect(await messages).toEqual([]);
  });

  it('commits rotated keys', async () => {
    const { jwtSecrets, encryptionKeys } = t.settings;
    const [newer, older] = [fernetKey(), encryptionKeys[0]!];
    const rotate = async () => {
      const dataSource = await createDataSource(url, SCHEMA).initialize();
      const settings = loadSettings({ ENCRYPTION_KEYS: `${newer},${older}`, JWT_SECRETS: jwtSecrets[0] });
      const { rotated } = await rotateKeys(dataSource, new EncryptionService(settings), () => undefined);
      await dataSource.destroy();
      return rotated;
    };

    expect(await rotate()).toBeGreaterThan(0);
    expect(await rotate()).toBe(0);
  });
});

onMysql('DATABASE_POOL', () => {
  it('limits the connections of a node', async () => {
    const t = await startTestApp({ env: { DATABASE_POOL: '3' } });
    const read = () => t.manager.query<{ id: number }[]>('SELECT CONNECTION_ID() AS id, SLEEP(0.2)');
    const rows = await Promise.all(Array.from({ length: 9 }, read));
    await t.stop();

    expect(new Set(rows.map(([row]) => row!.id)).size).toBe(3);
  });
});

/** CI's MariaDB checks no rights. */
function onServerWithRights(name: string, tests: () => void): void {
  if (!process.env.TEST_MYSQL_URL?.startsWith('mariadb:')) onMysql(name, tests);
}

/** The table in docs/operations.md. */
const RUNNING = 'SELECT, INSERT, UPDATE, DELETE';
const MIGRATING = `${RUNNING}, CREATE, ALTER, DROP, INDEX, REFERENCES`;

onServerWithRights('database users with the documented rights', () => {
  let database: TestDatabase;
  let t: TestApp;
  const users: string[] = [];

  beforeAll(async () => {
    database = await createTestDatabase('');
    const dataSource = await createDataSource(await createUser(MIGRATING), SCHEMA).initialize();
    await dataSource.runMigrations();
    await dataSource.destroy();
    t = await startTestApp({ env: { DATABASE_URL: await createUser(RUNNING), MIGRATE_ON_START: 'false' } });
  });
  afterAll(async () => {
    await t?.stop();
    await asRoot(`DROP USER ${users.join(', ')}`);
    await database.drop();
  });

  async function createUser(rights: string): Promise<string> {
    const url = new URL(database.url);
    const [name, password] = [`parley_${randomBytes(6).toString('hex')}`, randomBytes(12).toString('hex')];
    await asRoot(`CREATE USER ${name} IDENTIFIED BY '${password}'`);
    users.push(name);
    await asRoot(`GRANT ${rights} ON ${url.pathname.slice(1)}.* TO ${name}`);
    return Object.assign(url, { username: name, password }).href;
  }

  async function asRoot(statement: string): Promise<void> {
    const connection = await createConnection(process.env.TEST_MYSQL_URL!);
    await connection.query(statement);
    await connection.end();
  }

  it('may not change the schema while running', async () => {
    await expect(t.manager.query('CREATE TABLE more (id int)')).rejects.toMatchObject({ errno: 1142 });
  });

  it('may chat, search, edit and delete', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();
    t.provider.willStream('Hello');
    const sent = await ada.send(id, 'Hi');
    const found = await ada.get('/conversations/search?q=Hello');
    const renamed = await ada.post(`/conversations/${id}/update`, { title: 'Greetings' });
    const deleted = await ada.post(`/conversations/${id}/delete`);

    expect(sent).toMatchObject({ status: 200, body: { assistant_message: { content: 'Hello' } } });
    expect(found.body.results).toHaveLength(1);
    expect([renamed.status, deleted.status]).toEqual([200, 204]);
  });

  it('may store the heartbeat of a node', async () => {
    expect((await fetch(`${t.url}/health/ready`)).status).toBe(200);
  });
});

onMysql('a connection', () => {
  let dataSource: DataSource;
  let runner: QueryRunner;
  let dataSourceUrl: string;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const database = await createTestDatabase('');
    ({ url: dataSourceUrl, drop } = database);
    dataSource = await createDataSource(database.url, SCHEMA).initialize();
    runner = dataSource.createQueryRunner();
  });
  afterAll(async () => {
    await runner.release();
    await dataSource.destroy();
    await drop();
  });

  const modes = [
    '',
    'NO_BACKSLASH_ESCAPES',
    'ANSI_QUOTES',
    'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH',
  ];
  it.each(modes)('runs every statement unchanged in meaning with sql_mode %j', async (mode) => {
    await runner.query(`SET SESSION sql_mode = '${mode}'`);
    const values = [...TEXTS, Buffer.from(TEXTS.join('')), new Date(86_400_123), 7, -1.5, true, null];
    const row = await runner.query(`SELECT ${values.map((_, at) => `? AS v${at}`).join(', ')}`, values);

    const expected = [...TEXTS, Buffer.from(TEXTS.join('')), '1970-01-02 00:00:00.123', 7, '-1.5', 1, null];
    expect(Object.values(row[0] as object)).toEqual(expected);
  });

  it('is not used if its session settings cannot be applied', async () => {
    const proxy = await MisspellingProxy.start(dataSourceUrl);
    const url = Object.assign(new URL(dataSourceUrl), { port: proxy.port });
    const outcome = await createDataSource(url.href, SCHEMA)
      .initialize()
      .catch((error: unknown) => error);
    proxy.close();

    expect(outcome).toMatchObject({ errno: 1193, fatal: true });
    expect(proxy.statements).toEqual([expect.stringMatching(/SET NAMES utf8mb4 .*sql_mode/)]);
  });
});

/** A way to the server on which settings are misspelt, so that it refuses them. */
class MisspellingProxy {
  readonly statements: string[] = [];
  private readonly server: Server;

  private constructor({ hostname, port }: URL) {
    this.server = createServer((client) => {
      const target = connect(Number(port || 3306), hostname);
      client.on('data', (data: Buffer) => {
        if (data[4] === QUERY) this.statements.push(data.toString('latin1', 5));
        target.write(Buffer.from(data.toString('latin1').replace('sql_mode', 'sql_mood'), 'latin1'));
      });
      target.pipe(client).on('error', () => target.destroy());
      client.on('close', () => target.destroy());
    });
  }

  static async start(databaseUrl: string): Promise<MisspellingProxy> {
    const proxy = new MisspellingProxy(new URL(databaseUrl));
    await once(proxy.server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.server.close();
  }
}

/** The protocol's command byte of a packet with a statement. */
const QUERY = 3;
