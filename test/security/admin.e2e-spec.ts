/** Every operation under /admin of the OpenAPI document: who may call it, its audit event, and what it must not show. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { createAdmin } from '../support/app/admin.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import type { Thing } from '../support/clients/http.js';
import { ApiDocument, type Operation } from './api-document.js';
import { Sightings } from './sightings.js';
import { readTables } from './tables.js';

const WORDS = `words of a user, ${randomBytes(8).toString('hex')}`;
const API_KEY = `sk-${randomBytes(16).toString('hex')}`;
/** Columns whose text is of no use to an administrator and of use to a thief. */
const SECRET_COLUMN = /hash|secret|encrypted|sealed/;

let t: TestApp;
let document: ApiDocument;
let operations: Operation[];
let admin: TestUser;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp();
  document = await ApiDocument.ofBuild();
  operations = document.operations.filter(({ path }) => path.startsWith('/admin/'));
  admin = await createAdmin(t);
}, 60_000);
beforeEach(async () => {
  ada = await t.user().withConfig(t.provider, { api_key: API_KEY }).create();
});
afterAll(() => t?.stop());

/** The operations that end something come last. */
const inOrder = () => [...operations].sort((a, b) => rank(a) - rank(b));

function rank({ method, path }: Operation): number {
  if (method === 'GET') return 0;
  return path.endsWith('/delete') ? 2 : 1;
}

const pathOf = ({ path }: Operation, id: number) => path.replace(/\{\w+\}/g, `${id}`);

async function statuses(caller: Pick<TestUser, 'fetch'>): Promise<string[]> {
  const answers = [];
  for (const operation of operations) {
    const response = await caller.fetch(operation.method, pathOf(operation, ada.id), operation.body?.example);
    const { code } = (await response.json()) as Thing;
    answers.push(`${operation.name} ${response.status} ${code}`);
  }
  return answers;
}

describe('the calls of administrators', () => {
  it('are documented', () => {
    expect(operations.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['GET /admin/users', 'GET /admin/users/{id}', 'GET /admin/audit']),
    );
  });

  it('are 403 admin_only for a user', async () => {
    expect(await statuses(ada)).toEqual(operations.map(({ name }) => `${name} 403 admin_only`));
  });

  it('are 401 without a token', async () => {
    expect(await statuses(t.http)).toEqual(operations.map(({ name }) => `${name} 401 unauthenticated`));
  });

  it.each([true, false])('are audited; about a user who exists: %s', async (exists) => {
    for (const operation of inOrder()) {
      await t.app.get(AuditLog).flush();
      await t.manager.clear(AuditEvent);
      const id = exists ? ada.id : 999_999;
      const { path, method, body } = operation;
      const response = await admin.fetch(method, pathOf(operation, id), body?.example);
      await response.text();
      if (!response.ok) await t.app.get(AuditLog).flush();

      const trail = (await t.manager.find(AuditEvent)).map(({ action, userId }) => ({ action, userId }));
      const action = expect.stringMatching(/^admin\.[a-z]+\.[a-z_]+$/);
      expect({ method, path, trail }).toEqual({ method, path, trail: [{ action, userId: admin.id }] });
    }
  });

  it('show no words, keys, hashes or tokens of users', async () => {
    await plantSecrets();
    const seen = new Sightings();
    const secrets = await storedSecrets();
    for (const operation of inOrder()) {
      const response = await admin.fetch(
        operation.method,
        pathOf(operation, ada.id),
        operation.body?.example,
      );
      seen.note('answers', `${operation.name} ${response.status}`, await response.text());
    }

    expect(Object.keys(secrets).length).toBeGreaterThan(6);
    expect(seen.find('answers', { username: ada.username })).not.toEqual([]);
    expect(seen.find('answers', secrets)).toEqual([]);
  });
});

async function plantSecrets(): Promise<void> {
  const { id } = await ada.createConversation({ title: WORDS, system_prompt: WORDS });
  await ada.send(id, WORDS);
  if (document.operations.some(({ path }) => path === '/auth/me/totp'))
    await ada.post('/auth/me/totp', { current_password: ada.password });
  await t.http.post('/auth/password/forgot', { email: ada.email });
}

/** The planted words, keys and tokens, and what the tables hold in columns of secrets. */
async function storedSecrets(): Promise<Record<string, string>> {
  const { password, tokens } = ada;
  const { access_token, refresh_token } = tokens;
  const secrets: Record<string, string> = { WORDS, API_KEY, password, access_token, refresh_token };
  for (const [table, rows] of Object.entries(await readTables(t.app.get(DataSource))))
    rows.forEach((row, n) => {
      for (const [column, value] of Object.entries(row))
        if (SECRET_COLUMN.test(column) && typeof value === 'string' && value.length > 8)
          secrets[`${table}.${column} ${n}`] = value;
    });
  return secrets;
}
