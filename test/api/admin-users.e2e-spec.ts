/** Administration of users. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Session } from '../../src/auth/sessions/session.entity.js';
import { SessionSweep } from '../../src/auth/sessions/session-sweep.service.js';
import { User } from '../../src/auth/users/user.entity.js';
import { createAdmin } from '../support/app/admin.js';
import { logIn, refresh } from '../support/app/accounts.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { gapsInAudit } from '../support/app/audit.js';
import { turnOnTotp } from '../support/app/totp.js';
import type { TestUser } from '../support/app/user.js';
import type { Thing } from '../support/clients/http.js';
import { until } from '../support/infrastructure/until.js';
import { gate } from '../support/provider/provider.js';

interface UserPage {
  users: Thing[];
  total: number;
}

/** Sockets of an ended session close within a second. */
const SOON_MS = 1000;

let t: TestApp;
let admin: TestUser;
beforeAll(async () => {
  t = await startTestApp({
    env: { ADMIN_EMAILS: 'operator@example.org', REDIS_URL: process.env.TEST_REDIS_URL },
  });
  admin = await createAdmin(t);
});
afterAll(() => t?.stop());

const list = async (query: Record<string, string>) =>
  (await admin.get<UserPage>(`/admin/users?${new URLSearchParams(query)}`)).body;
const act = (user: TestUser, action: string, body?: object) =>
  admin.post(`/admin/users/${user.id}/${action}`, body);
const idsOf = ({ users }: UserPage) => users.map(({ id }) => id);

describe('the list of users', () => {
  it('shows the account and counts of what it owns', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    await ada.signInAgain();
    const first = await ada.createConversation({ title: 'One' });
    await ada.send(first.id, 'Hi');
    const second = await ada.createConversation({ title: 'Two' });
    await ada.post(`/conversations/${second.id}/update`, { archived: true });

    const { status, body } = await admin.get(`/admin/users/${ada.id}`);

    expect(status).toBe(200);
    expect(body).toEqual({
      ...(await ada.get('/auth/me')).body,
      disabled: false,
      last_seen_at: expect.stringMatching(/Z$/),
      sessions: 2,
      conversations: 2,
      messages: 2,
      bytes_used: 0,
    });
    expect((await list({ q: ada.username })).users).toEqual([body]);
  });

  it('finds parts of names and addresses in any case, literally', async () => {
    const ada = await t.user().create();
    await t.manager.update(User, { id: ada.id }, { username: 'Straße_1', usernameKey: 'strasse_1' });

    expect(idsOf(await list({ q: 'STRASSE_' }))).toEqual([ada.id]);
    expect(idsOf(await list({ q: `${ada.email.slice(2).toUpperCase()} ` }))).toEqual([ada.id]);
    expect(idsOf(await list({ q: 'strasse%1' }))).toEqual([]);
    expect(idsOf(await list({ q: 'stras_e' }))).toEqual([]);
  });

  it('is paged, newest first, and filtered by role and state', async () => {
    const users = [await t.user().create(), await t.user().create()];
    await act(users[0]!, 'disable');
    const newest = await list({ limit: '2' });

    expect(idsOf(newest)).toEqual([users[1]!.id, users[0]!.id]);
    expect(idsOf(await list({ limit: '1', offset: '1' }))).toEqual([users[0]!.id]);
    expect(idsOf(await list({ disabled: 'true' }))).toEqual([users[0]!.id]);
    expect(idsOf(await list({ role: 'admin' }))).toEqual([admin.id]);
    const others = await list({ role: 'user', disabled: 'false', limit: '100' });
    expect(others.total).toBe(newest.total - 2);
    expect(others.users).toHaveLength(others.total);
    expect((await admin.get('/admin/users?role=owner')).status).toBe(422);
    expect((await admin.get('/admin/users?limit=101')).status).toBe(422);
  });

  it('counts a verified address in ADMIN_EMAILS as the role', async () => {
    const operator = await t.user().create();
    const email = 'operator@example.org';
    await t.manager.update(User, { id: operator.id }, { email, emailKey: email });
    expect((await operator.get('/admin/users')).status).toBe(403);
    await t.manager.update(User, { id: operator.id }, { emailVerified: true });

    expect((await operator.get('/admin/users')).status).toBe(200);
    expect(idsOf(await list({ role: 'admin' }))).toEqual([operator.id, admin.id]);
    await act(operator, 'delete');
  });

  it('remembers when a user was last seen after the sessions have ended', async () => {
    const ada = await t.user().create();
    const old = new Date(Date.now() - 3_600_000);
    await t.manager.update(User, { id: ada.id }, { lastSeenAt: old });
    await t.manager.update(Session, { userId: ada.id }, { lastUsedAt: old });
    await ada.get('/auth/me');
    await until(async () => (await t.manager.findOneByOrFail(User, { id: ada.id })).lastSeenAt! > old);
    await act(ada, 'sessions/revoke');

    const { body } = await admin.get(`/admin/users/${ada.id}`);
    expect(body).toMatchObject({ sessions: 0 });
    expect(Date.now() - Date.parse(String(body.last_seen_at))).toBeLessThan(60_000);
  });
});

describe('a disabled user', () => {
  it('is signed out everywhere, and the replies are stopped', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation({ title: 'Mine' });
    const socket = ada.socket();
    await socket.connected;
    const plain = ada.ws(id);
    await plain.until(({ type }) => type === 'conversation.snapshot');
    const { body: ticket } = await ada.post<{ ticket: string }>('/auth/stream-ticket');
    t.provider.willStream('Hel', gate());
    await socket.emit('chat.send', { conversation_id: id, content: 'Hi' });
    await socket.until(({ type }) => type === 'message.delta');

    const start = performance.now();
    expect(await act(ada, 'disable')).toMatchObject({ status: 200, body: { disabled: true, sessions: 0 } });
    await Promise.all([socket.disconnected, plain.closed]);
    expect(performance.now() - start).toBeLessThan(SOON_MS);

    const answers = [
      await ada.get('/auth/me'),
      await refresh(t, ada.tokens.refresh_token),
      await t.http.get(`/conversations/${id}/events?ticket=${ticket.ticket}`),
      await logIn(t, ada),
      await logIn(t, { email: ada.email, password: 'not the password' }),
    ];
    expect(answers.map(({ status, body: { code } }) => [status, code])).toEqual([
      [401, 'token_revoked'],
      [401, 'unauthenticated'],
      [401, 'token_revoked'],
      [403, 'account_disabled'],
      [401, 'unauthenticated'],
    ]);

    expect(await act(ada, 'enable')).toMatchObject({ status: 200, body: { disabled: false } });
    ada.tokens = (await logIn(t, ada)).body;
    await until(async () => (await ada.history(id)).at(-1)!.status === 'stopped');
    expect((await ada.history(id)).at(-1)).toMatchObject({ content: 'Hel', status: 'stopped' });
  });

  it('cannot log in with a password that was verified before', async () => {
    const ada = await t.user().create();
    await Promise.all([act(ada, 'disable'), ...Array.from({ length: 10 }, () => logIn(t, ada))]);

    expect(await t.manager.countBy(Session, { userId: ada.id })).toBe(0);
  });
});

describe('a second factor', () => {
  it('is turned off for a user who has lost it', async () => {
    const ada = await t.user().create();
    await turnOnTotp(ada);
    expect((await logIn(t, ada)).body.code).toBe('second_factor_required');

    const answer = await act(ada, 'totp/remove');
    expect(answer).toMatchObject({ status: 200, body: { second_factor: false } });
    expect((await logIn(t, ada)).status).toBe(200);
    expect((await act(ada, 'totp/remove')).status).toBe(200);
  });
});

describe('sessions that another process ends', () => {
  it('lose their sockets, and disabled users their replies, without a Redis', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const device = await ada.signInAgain();
    const { id } = await ada.createConversation({ title: 'Mine' });
    const [socket, other] = [ada.socket(), device.socket()];
    await Promise.all([socket.connected, other.connected]);
    t.provider.willStream('Hel', gate());
    await socket.emit('chat.send', { conversation_id: id, content: 'Hi' });
    await socket.until(({ type }) => type === 'message.delta');
    const sessions = await t.manager.findBy(Session, { userId: ada.id });
    await t.manager.delete(Session, { id: Math.min(...sessions.map((session) => session.id)) });

    await t.app.get(SessionSweep).run();
    await socket.disconnected;
    expect(await other.emit('conversation.open', { conversation_id: id })).toMatchObject({ ok: true });
    await t.manager.update(User, { id: ada.id }, { disabledAt: new Date() });
    await t.app.get(SessionSweep).run();

    await until(async () => (await device.history(id)).at(-1)!.status === 'stopped');
  });
});

describe('the last administrator', () => {
  it('can be neither disabled, demoted nor deleted, by anybody', async () => {
    const answers = [
      await act(admin, 'disable'),
      await act(admin, 'role', { role: 'user' }),
      await act(admin, 'delete'),
      await admin.post('/auth/me/delete', { current_password: admin.password }),
    ];

    for (const { status, body } of answers) expect([status, body.code]).toEqual([409, 'last_admin']);
    expect((await admin.get('/auth/me')).body).toMatchObject({ role: 'admin' });
  });

  it('is not one who is disabled', async () => {
    const other = await createAdmin(t);
    await act(other, 'disable');

    expect(await act(admin, 'role', { role: 'user' })).toMatchObject({ status: 409 });
    expect((await act(other, 'delete')).status).toBe(204);
  });

  it('remains when two administrators demote, disable or delete each other at once, on two nodes', async () => {
    const node = await t.startNode();
    try {
      for (const [action, body] of [['role', { role: 'user' }], ['disable'], ['delete']] as const) {
        const other = await createAdmin(t);
        const answers = await Promise.all([
          admin.post(`/admin/users/${other.id}/${action}`, body),
          other.on(node).post(`/admin/users/${admin.id}/${action}`, body),
        ]);

        const statuses = answers.map(({ status }) => status).sort();
        expect([action, statuses[0]! < 300, statuses[1]! >= 401]).toEqual([action, true, true]);
        if (answers[1]!.status < 300) admin = other;
      }
    } finally {
      await node.stop();
    }
  });
});

it('leave no gaps in the audit trail', async () => expect(await gapsInAudit(t)).toEqual([]));
