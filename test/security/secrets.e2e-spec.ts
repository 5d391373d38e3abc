/** Plants secrets, runs every operation, and searches all output for them. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from 'redis';
import { DataSource } from 'typeorm';
import { createAdmin } from '../support/app/admin.js';
import { User } from '../../src/auth/users/user.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { onRedis, onSqlite } from '../support/infrastructure/database.js';
import { LogLines } from '../support/app/log-lines.js';
import { errorEvent } from '../support/provider/provider.js';
import type { TestUser, Tokens } from '../support/app/user.js';
import { ApiDocument, type Operation } from './api-document.js';
import { Sightings } from './sightings.js';
import { readTables } from './tables.js';

const MARKER = `words of a user, ${randomBytes(8).toString('hex')}`;
const API_KEY = `key-${randomBytes(16).toString('hex')}/+="planted"`;
/** Operations that return tokens by design. */
const TOKEN_CALLS = ['/auth/login', '/auth/refresh'];
/** Paths outside the API. */
const PAGES = ['/metrics', '/', '/docs', '/openapi.json', '/asyncapi.json', '/nowhere'];
const REDIS = process.env.TEST_REDIS_URL;

const log = new LogLines();
const seen = new Sightings();
const secrets: Record<string, string> = { 'an API key': API_KEY };
let t: TestApp;
let document: ApiDocument;
let ada: TestUser;
let conversationId: number;

beforeAll(async () => {
  const stopWatching = await watchRedis();
  // Limits too high to be reached, so that requests are counted but not refused.
  const env = { LOG_LEVEL: 'trace', RATE_LIMIT_SCALE: '10000', REDIS_URL: REDIS };
  t = await startTestApp({ log, env });
  secrets['the secret of access tokens'] = t.settings.jwtSecrets[0]!;
  secrets['the encryption key'] = t.settings.encryptionKeys[0]!;
  document = await ApiDocument.ofBuild();
  await callAllOperations();
  await stopWatching();
  seen.note('log', 'the log', log.text);
}, 120_000);
afterAll(() => t?.stop());

async function watchRedis(): Promise<() => Promise<void>> {
  if (!REDIS) return async () => undefined;
  const client = await createClient({ url: REDIS }).connect();
  await client.monitor((line) => seen.note('Redis', 'MONITOR', line.toString()));
  return async () => client.destroy();
}

async function callAllOperations(): Promise<void> {
  // Ada may delete her account, because she is not the last administrator.
  await createAdmin(t);
  await makeAda();
  await talkOverSockets();
  await failWithEchoedKeys();
  for (const operation of document.operations) await callValid(operation);
  for (const operation of document.operations) await callInvalid(operation);
  await breakTables();
  for (const path of PAGES) await call('GET', path);
  const { headers } = await t.http.get('/health/live');
  await log.ofRequest(headers.get('X-Request-Id'));
}

/** Creates an administrator with a secret of each kind. */
async function makeAda(): Promise<void> {
  ada = await t.user().withConfig(t.provider, { api_key: API_KEY }).create();
  await t.manager.update(User, { id: ada.id }, { role: 'admin' });
  secrets[`the password of user ${ada.id}`] = ada.password;
  keepTokens(ada.tokens);
  conversationId = (await ada.createConversation({ title: MARKER })).id;
}

async function logIn(): Promise<void> {
  const { body } = await t.http.post<Tokens>('/auth/login', { email: ada.email, password: ada.password });
  ada.tokens = keepTokens(body);
}

/** Records issued tokens as secrets. */
function keepTokens(tokens: Tokens): Tokens {
  const count = Object.keys(secrets).length;
  secrets[`access token ${count}`] = tokens.access_token;
  secrets[`refresh token ${count}`] = tokens.refresh_token;
  return tokens;
}

/** Calls an operation as Ada and records the whole response. */
async function call(method: string, path: string, body?: object | string, headers = {}): Promise<number> {
  const abort = AbortSignal.timeout(3000);
  const response = await ada.fetch(method, path, body, headers, abort);
  const text = await read(response, path.includes('/events'));
  const head = JSON.stringify([...response.headers]);
  const isTokens = response.status === 200 && TOKEN_CALLS.includes(path);
  if (isTokens) keepTokens(JSON.parse(text) as Tokens);
  seen.note(
    'answers',
    `${method} ${path} ${response.status}`,
    head + (isTokens ? withoutTokens(text) : text),
  );
  if (response.status >= 400) seen.note('problems', `${method} ${path} ${response.status}`, text);
  if (path === '/metrics') seen.note('metrics', path, text);
  return response.status;
}

/** Cancels endless streams: those of conversations, not of replies. */
async function read(response: Response, isEndless: boolean): Promise<string> {
  if (!isEndless || !response.ok) return response.text();
  await response.body!.cancel();
  return '';
}

function withoutTokens(text: string): string {
  return JSON.stringify({ ...JSON.parse(text), access_token: undefined, refresh_token: undefined });
}

/** Calls an operation on Ada's things with the documented example and planted secrets. */
async function callValid(operation: Operation): Promise<void> {
  if (operation.method === 'GET') return void (await call('GET', await pathOf(operation)));
  const body = operation.body && { ...operation.body.example, ...validBodyOf(operation) };
  await call(operation.method, await pathOf(operation), body);
  // Some operations end the session or the account.
  if ((await ada.get('/auth/me')).status === 401) await restoreAda();
}

async function restoreAda(): Promise<void> {
  const { status } = await t.http.post('/auth/login', { email: ada.email, password: ada.password });
  if (status === 401) await makeAda();
  else await logIn();
}

function validBodyOf({ body, path }: Operation): object {
  const own: Record<string, unknown> = {
    api_key: API_KEY,
    model_url: t.provider.url,
    current_password: ada.password,
    password: ada.password,
    content: MARKER,
    title: MARKER,
    system_prompt: MARKER,
    refresh_token: ada.tokens.refresh_token,
    email:
      path === '/auth/login' || path.startsWith('/auth/me')
        ? ada.email
        : `${randomBytes(6).toString('hex')}@example.com`,
    username: `u${randomBytes(6).toString('hex')}`,
    config_id: null,
    client_message_id: undefined,
  };
  const names = document.propertiesOf(body!.schema).map(([name]) => name);
  const isChat = names.includes('content');
  return Object.fromEntries(
    names.filter((name) => name in own && !(isChat && name === 'config_id')).map((name) => [name, own[name]]),
  );
}

/** Creates the things of the path again, because the previous call may have deleted them. */
async function pathOf({ path }: Operation): Promise<string> {
  const { body } = await ada.get<{ configs: { id: number }[] }>('/auth/config');
  const config = body.configs?.[0]?.id ?? 1;
  if (path.includes('/conversations/{id}'))
    conversationId = (await ada.createConversation({ title: MARKER })).id;
  const history = path.includes('{message_id}') ? await chat() : [];
  const message = history.at(path.endsWith('/edit') ? 0 : 1);
  let id = conversationId;
  if (path.startsWith('/auth/config/')) id = config;
  else if (!path.startsWith('/conversations/')) id = await idForAdmin(path);
  return `${path.replace('{id}', `${id}`).replace('{message_id}', `${message?.id}`)}?q=${encodeURIComponent(MARKER)}`;
}

async function idForAdmin(path: string): Promise<number> {
  if (path.startsWith('/admin/users/{id}')) return (await t.user().create()).id;
  if (!path.startsWith('/admin/configs/{id}')) return 1;
  const shared = { model_url: t.provider.url, model_name: 'shared', api_key: API_KEY };
  return (await ada.post<{ id: number }>('/admin/configs/create', shared)).body.id;
}

async function chat() {
  await ada.send(conversationId, MARKER);
  return ada.history(conversationId);
}

/** Sends secrets in refused requests: wrong type, unknown field, invalid JSON, too many headers. */
async function callInvalid(operation: Operation): Promise<void> {
  const path = operation.path.replace(/\{\w+\}/g, '1');
  const leaks = [API_KEY, ada.password, ada.tokens.access_token, ada.tokens.refresh_token];
  for (const secret of leaks) {
    const names = operation.body ? document.propertiesOf(operation.body.schema).map(([name]) => name) : [];
    await call(
      operation.method,
      path,
      operation.body && Object.fromEntries(names.map((name) => [name, [secret]])),
    );
    if (operation.method === 'GET') continue;
    await call(operation.method, path, { surprise: { nested: secret } });
    await call(operation.method, path, `{"password": "${secret}`);
    await call(operation.method, path, secret, { 'Content-Type': 'text/plain' });
    await call(
      operation.method,
      path,
      {},
      { Authorization: `Basic ${secret}`, Cookie: `t=${secret}`, 'X-Api-Key': secret },
    );
  }
}

/** Has the provider repeat a refused key in each kind of error. */
async function failWithEchoedKeys(): Promise<void> {
  const echo = `Incorrect API key provided: ${API_KEY}. You sent "Authorization: Bearer ${API_KEY}".`;
  const failures = [
    () => t.provider.willAnswer(401, { error: { message: echo } }, { 'X-Echo': API_KEY }),
    () => t.provider.willAnswer(400, echo),
    () => t.provider.willAnswer(404, { detail: { key: API_KEY } }),
    () => t.provider.willAnswer(200, `<html>${API_KEY}</html>`),
    () => t.provider.willStream('Hel', errorEvent({ message: echo })),
  ];
  const sends = [
    () =>
      call(
        'POST',
        `/conversations/${conversationId}/chat`,
        { content: MARKER },
        { Accept: 'application/json' },
      ),
    () =>
      call(
        'POST',
        `/conversations/${conversationId}/chat`,
        { content: MARKER },
        { Accept: 'text/event-stream' },
      ),
    async () => void (await ada.socket().chat(conversationId, MARKER)),
  ];
  for (const fail of failures)
    for (const send of sends) {
      fail();
      await send();
    }
  const { body } = await ada.get<{ configs: { id: number }[] }>('/auth/config');
  t.provider.willAnswer(401, { error: { message: echo } });
  await call('POST', `/auth/config/${body.configs[0]!.id}/test`);
  await call('GET', `/conversations/${conversationId}`);
}

/** Uses the sockets and records each received packet. */
async function talkOverSockets(): Promise<void> {
  const socket = ada.socket();
  await socket.connected;
  socket.io.io.engine.on('data', (data: string) => seen.note('frames', 'Socket.IO', data));
  const plain = ada.ws(conversationId);
  plain.socket.on('message', (data: Buffer) => seen.note('frames', 'WebSocket', data));
  await plain.until(({ type }) => type === 'conversation.snapshot');
  const commands = document.commandsOf('chat').map(({ name }) => name);
  for (const secret of [API_KEY, ada.password, ada.tokens.access_token, ada.tokens.refresh_token]) {
    for (const command of [...commands, 'nowhere']) {
      const body = {
        conversation_id: conversationId,
        content: [secret],
        token: secret,
        surprise: { nested: secret },
      };
      await socket.emit(command, body);
      await plain.request(command, body);
    }
    await plain.send(`{"type": "auth.refresh", "token": "${secret}`);
  }
  await socket.emit('auth.refresh', { token: ada.tokens.access_token });
  const config = { model_url: t.provider.url, model_name: 'other', api_key: API_KEY };
  await call('POST', '/auth/config/create', config);
  await socket.until(({ type }) => type === 'config.changed');
  await socket.chat(conversationId, MARKER);
  await Promise.all([socket.close(), plain.close()]);
}

const TABLES = [
  'users',
  'sessions',
  'refresh_tokens',
  'known_addresses',
  'model_configs',
  'conversations',
  'messages',
];

/** Makes statements fail: database errors contain the values to be stored. */
async function breakTables(): Promise<void> {
  const source = t.app.get(DataSource);
  for (const change of ['INSERT', 'UPDATE']) {
    for (const table of TABLES) await source.query(forbid(change, table));
    await callAll();
    for (const table of TABLES) await source.query(`DROP TRIGGER no_${change}_${table}`);
  }
  for (const table of TABLES) {
    await source.query(`ALTER TABLE ${table} RENAME TO ${table}_renamed`);
    await callAll();
    await source.query(`ALTER TABLE ${table}_renamed RENAME TO ${table}`);
  }
}

function forbid(change: string, table: string): string {
  const refuse = process.env.TEST_MYSQL_URL
    ? `FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'planted'`
    : `BEGIN SELECT RAISE(ABORT, 'planted'); END`;
  return `CREATE TRIGGER no_${change}_${table} BEFORE ${change} ON ${table} ${refuse}`;
}

/** Calls all operations except those that delete things needed by later calls. */
async function callAll(): Promise<void> {
  for (const operation of document.operations) {
    const path = operation.path.replace(/\{\w+\}/g, `${conversationId}`);
    if (path.endsWith('/delete') || path.endsWith('/revoke')) continue;
    await call(
      operation.method,
      path,
      operation.body && { ...operation.body.example, ...validBodyOf(operation) },
    );
  }
}

describe('secrets', () => {
  it('are used: the provider receives the key, requests fail, and everything is logged', () => {
    expect(t.provider.requests.map(({ headers }) => headers.authorization)).toContain(`Bearer ${API_KEY}`);
    expect(seen.find('answers', { marker: MARKER })).not.toEqual([]);
    expect(seen.find('problems', { status: '"status":500' }).length).toBeGreaterThan(50);
    expect(seen.find('problems', { masked: '***' })).not.toEqual([]);
    expect(log.filter(({ msg }) => msg === 'Unexpected error').length).toBeGreaterThan(50);
    expect(Object.keys(secrets).length).toBeGreaterThan(8);
  });

  it('are in no response, except for tokens in responses that issue them', () => {
    expect(seen.count('answers')).toBeGreaterThan(500);
    expect(seen.find('answers', secrets)).toEqual([]);
  });

  it('are in no log line at level debug, nor are hashes, stored keys and user text', () => {
    const stored = {
      'a hash of a password': '$argon2',
      'a stored key': 'gAAAAA',
      'what somebody wrote': MARKER,
    };

    expect(seen.find('log', { ...secrets, ...stored })).toEqual([]);
  });

  it('are in no frame of a socket', () => {
    expect(seen.count('frames')).toBeGreaterThan(50);
    expect(seen.find('frames', secrets)).toEqual([]);
  });

  it('are in no metric, nor is user text', () => {
    expect(seen.count('metrics')).toBe(1);
    expect(
      seen.find('metrics', { ...secrets, 'what somebody wrote': MARKER, 'who wrote it': ada.username }),
    ).toEqual([]);
  });

  it('are in no problem, nor is SQL, a stack or stored text', () => {
    const inner = {
      SQL: 'SELECT',
      'more SQL': 'INSERT',
      'a stack': '    at ',
      'a table': '_renamed',
      'a hash': '$argon2',
    };

    expect(seen.find('problems', { ...secrets, ...inner })).toEqual([]);
  });

  it('are in no column of any table', async () => {
    for (const [table, rows] of Object.entries(await readTables(t.app.get(DataSource)))) {
      seen.note('tables', table, JSON.stringify(rows));
    }
    expect(seen.find('tables', { marker: MARKER })).not.toEqual([]);
    expect(seen.find('tables', secrets)).toEqual([]);
  });

  onSqlite('in the files of the database', () => {
    it('are in no file, including the write-ahead log', async () => {
      const { dataDir } = t.settings;
      const entries = await readdir(dataDir, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile());
      for (const { parentPath, name } of files)
        seen.note('files', name, await readFile(join(parentPath, name)));

      expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(['test.db', 'test.db-wal']));
      expect(seen.find('files', { marker: MARKER })).not.toEqual([]);
      expect(seen.find('files', secrets)).toEqual([]);
    });
  });

  onRedis('in Redis', () => {
    it('are in no command', () => {
      expect(seen.count('Redis')).toBeGreaterThan(50);
      expect(seen.find('Redis', secrets)).toEqual([]);
    });
  });
});
