/** REGISTRATION, and invitations to register. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Invitation } from '../../src/auth/invitations/invitation.entity.js';
import { User } from '../../src/auth/users/user.entity.js';
import { newAccount } from '../support/app/accounts.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { HttpClient, type Answer } from '../support/clients/http.js';
import { expectProblem, invalidFields } from '../support/clients/problems.js';
import { MailServer } from '../support/infrastructure/mail-server.js';

const DAY_MS = 24 * 60 * 60_000;

let smtp: MailServer;
let t: TestApp;
let admin: TestUser;
beforeAll(async () => {
  smtp = await MailServer.start();
  t = await startTestApp({ env: { SMTP_URL: smtp.url, PUBLIC_URL: 'https://chat.example.com' } });
  admin = await t.user().create();
  await t.manager.update(User, { id: admin.id }, { role: 'admin' });
});
afterAll(async () => {
  await t?.stop();
  await smtp?.close();
});

interface Invited {
  id: number;
  code: string;
  expires_at: string;
}

async function invite(fields: object = {}): Promise<Invited> {
  const answer = await admin.post<Invited>('/admin/invitations', fields);
  expect(answer.status).toBe(201);
  return answer.body;
}

const register = (invitation?: unknown, client = t.http, account: object = newAccount()) =>
  client.post('/auth/register', { ...account, invitation });

const listed = async (query = '') => {
  const { body } = await admin.get<{ invitations: Invited[] }>(`/admin/invitations${query}`);
  return body;
};

describe('an invitation', () => {
  it('is created for seven days, and its code is stored as a hash alone', async () => {
    const before = Date.now();
    const invitation = await invite();

    expect(invitation).toEqual({
      id: expect.any(Number),
      code: expect.stringMatching(/^[\w-]{43}$/),
      email: null,
      expires_at: expect.any(String),
      used_by: null,
    });
    const days = (Date.parse(invitation.expires_at) - before) / DAY_MS;
    expect(days).toBeGreaterThanOrEqual(7);
    expect(days).toBeLessThan(7.01);
    const row = await t.manager.findOneByOrFail(Invitation, { id: invitation.id });
    expect(JSON.stringify(row)).not.toContain(invitation.code);
  });

  it('is mailed as a link, in the language of the request', async () => {
    const { email } = newAccount();
    const { code } = await invite({ email: email.toUpperCase() });
    const link = `https://chat.example.com/#invitation=${code}`;

    const english = (await smtp.mailTo(email)).email;
    expect(english.subject).toBe('You are invited to create an account');
    expect(english.text).toContain(`\n${link}\n`);
    expect(english.html).toContain(`href="${link}"`);
    await admin.post('/admin/invitations', { email }, { 'Accept-Language': 'zh' });
    expect((await smtp.mailTo(email, 1)).email.subject).toBe('邀请您注册账号');
  });

  it('expires when its creator says so', async () => {
    const expires_at = new Date(Date.now() + DAY_MS).toISOString();

    expect(await invite({ expires_at })).toMatchObject({ expires_at });
  });

  it.each([
    { email: 'ada' },
    { email: 'ada@example.com\r\nBcc: eve@example.com' },
    { expires_at: 'tomorrow' },
    { expires_at: '2020-01-01T00:00:00.000Z' },
    { expires_at: '10000-01-01T00:00:00.000Z' },
    { expires_at: 1_900_000_000_000 },
    { code: 'chosen' },
  ])('refuses %j', async (fields) => {
    expect(invalidFields(await admin.post('/admin/invitations', fields))).toEqual(Object.keys(fields));
  });

  it('admits one person, and names them from then on', async () => {
    const { id, code } = await invite();
    const answer = await register(code);

    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ email_verified: false });
    expect((await listed()).invitations.find((invitation) => invitation.id === id)).toMatchObject({
      used_by: answer.body.id,
    });
    expect(invalidFields(await register(code))).toEqual(['invitation']);
  });

  it('admits another address than the one that it was mailed to', async () => {
    const { code } = await invite({ email: newAccount().email });

    expect((await register(code)).status).toBe(201);
  });

  it('stays unused when the registration fails', async () => {
    const { code } = await invite();
    const { username } = admin;

    expectProblem(await register(code, t.http, { ...newAccount(), username }), 409, 'username_taken');
    expect((await register(code)).status).toBe(201);
  });

  it('stays used after the account is deleted', async () => {
    const { code } = await invite();
    const { body } = await register(code);
    await t.manager.delete(User, { id: body.id });

    expect(invalidFields(await register(code))).toEqual(['invitation']);
  });

  it('admits nobody once it has expired or was deleted', async () => {
    const [expired, deleted] = [await invite(), await invite()];
    await t.manager.update(Invitation, { id: expired.id }, { expiresAt: new Date() });
    expect((await admin.post(`/admin/invitations/${deleted.id}/delete`)).status).toBe(204);

    for (const { code } of [expired, deleted])
      expect(invalidFields(await register(code))).toEqual(['invitation']);
    expectProblem(await admin.post(`/admin/invitations/${deleted.id}/delete`), 404, 'not_found');
  });
});

describe('the list', () => {
  it('has the newest first, page by page, without codes', async () => {
    const [older, newer] = [await invite(), await invite({ email: newAccount().email })];
    const page = await admin.get<Record<string, unknown>>('/admin/invitations?limit=1&offset=1');

    const { code: _, ...first } = older;
    const total = await t.manager.count(Invitation);
    expect(page.body).toEqual({ invitations: [first], total, limit: 1, offset: 1 });
    const all = await listed('?limit=100');
    expect(all.invitations.map(({ id }) => id).slice(0, 2)).toEqual([newer.id, older.id]);
    expect(await listed()).toMatchObject({ limit: 20, offset: 0 });
  });

  it('refuses pages out of range', async () => {
    const answer = await admin.get('/admin/invitations?limit=101&offset=-1');

    expectProblem(answer, 422, 'validation_failed', ['limit', 'offset']);
  });
});

describe('invitations', () => {
  const calls: [method: string, path: string][] = [
    ['GET', '/admin/invitations'],
    ['POST', '/admin/invitations'],
    ['POST', '/admin/invitations/1/delete'],
  ];

  it.each(calls)('are for administrators alone: %s %s', async (method, path) => {
    const ada = await t.user().create();

    expectProblem(await ada.request(method, path), 403, 'admin_only');
    expectProblem(await t.http.request(method, path), 401, 'unauthenticated');
  });
});

describe('open registration', () => {
  it('needs no invitation, and refuses a wrong one', async () => {
    expect((await register()).status).toBe(201);
    expect((await register(null)).status).toBe(201);
    for (const code of ['x', '', 'A'.repeat(43), 'A'.repeat(513), 5])
      expect(invalidFields(await register(code))).toEqual(['invitation']);
  });
});

/** Last, because passport's strategies are shared by all apps of a process. */
describe('on other nodes', () => {
  const nodes: TestApp[] = [];
  const clientOf = (node: TestApp) => new HttpClient(() => node.url);
  let inviting: HttpClient;
  let closed: HttpClient;
  beforeAll(async () => {
    for (const REGISTRATION of ['invite', 'closed']) nodes.push(await t.startNode({ REGISTRATION }));
    [inviting, closed] = nodes.map(clientOf) as [HttpClient, HttpClient];
  });
  afterAll(async () => {
    for (const node of nodes) await node.stop();
  });

  it('REGISTRATION=invite admits by invitation alone', async () => {
    expectProblem(await register(undefined, inviting), 403, 'invitation_required');
    expect(invalidFields(await register('x', inviting))).toEqual(['invitation']);
    const { code } = await invite();
    expect((await register(code, inviting)).status).toBe(201);
    expect(invalidFields(await register(code, inviting))).toEqual(['invitation']);
  });

  it('REGISTRATION=closed admits nobody', async () => {
    const { code } = await invite();

    expectProblem(await register(undefined, closed), 403, 'registration_closed');
    expectProblem(await register(code, closed), 403, 'registration_closed');
    expect(invalidFields(await register('x', closed))).toEqual(['invitation']);
    expect((await register(code)).status).toBe(201);
  });

  it('admit one of many who use a code at once', async () => {
    const { id, code } = await invite();
    const attempt = (n: number): Promise<Answer> => register(code, n % 2 ? inviting : t.http);
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => attempt(n)));

    const admitted = answers.filter(({ status }) => status === 201);
    expect(admitted).toHaveLength(1);
    for (const answer of answers)
      if (answer !== admitted[0]) expect(invalidFields(answer)).toEqual(['invitation']);
    const { usedBy } = await t.manager.findOneByOrFail(Invitation, { id });
    expect(usedBy).toBe(admitted[0]!.body.id);
  });
});
