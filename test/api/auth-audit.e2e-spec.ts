/** The audit trail. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuditTrailService } from '../../src/admin/audit/audit-trail.service.js';
import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { sessionIdOf } from '../support/app/access-token.js';
import { logIn, newAccount, refresh } from '../support/app/accounts.js';
import { createAdmin } from '../support/app/admin.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import type { Thing } from '../support/clients/http.js';

let t: TestApp;
const logLines: string[] = [];

beforeAll(async () => {
  t = await startTestApp({ log: { write: (line: string) => void logLines.push(line) } });
});
afterAll(() => t.stop());

/** Audit entries of a user since the last call. */
function auditOf(userId: number): Record<string, unknown>[] {
  const lines = logLines.splice(0).map((line) => JSON.parse(line) as Record<string, unknown>);
  return lines.filter((line) => line.context === 'Audit' && line.user_id === userId);
}

describe('the audit trail', () => {
  it('records user, action and address', async () => {
    logLines.length = 0;
    const ada = await t.user().create();
    const session_id = sessionIdOf(ada.tokens);
    await logIn(t, { ...ada, email: ada.email, password: 'not the password' });
    await ada.post('/auth/me/username', { username: newAccount().username });
    await ada.post('/auth/me/email', { email: newAccount().email, current_password: 'not the password' });
    await ada.post('/auth/me/email', { email: newAccount().email });
    await ada.post('/auth/me/password', { password: 'another pass phrase' });
    await ada.post('/auth/logout');

    const trail = auditOf(ada.id);
    expect(trail.map(({ event }) => event)).toEqual([
      'user.registered',
      'login.succeeded',
      'login.failed',
      'username.changed',
      'reauthentication.failed',
      'email.changed',
      'password.changed',
      'logout',
    ]);
    for (const line of trail) expect(line.address).toBe('127.0.0.1');
    for (const line of trail.slice(3)) expect(line.session_id).toBe(session_id);
  });

  it('records keys, revoked sessions, exports and deletion, each with its session', async () => {
    const ada = await t.user().create();
    const [session_id, other] = [sessionIdOf(ada.tokens), sessionIdOf((await ada.signInAgain()).tokens)];
    auditOf(ada.id);
    const config = { model_url: t.provider.url, model_name: 'test-model', api_key: 'sk-test' };
    const { body } = await ada.post('/auth/config/create', config);
    await ada.post(`/auth/config/${body.id}/update`, { name: 'Renamed' });
    await ada.post(`/auth/config/${body.id}/update`, { api_key: 'sk-other' });
    await ada.post(`/auth/config/${body.id}/delete`);
    await ada.post(`/auth/sessions/${other}/revoke`);
    await ada.get('/auth/me/export');
    await ada.post('/auth/me/delete', { current_password: ada.password });

    const address = '127.0.0.1';
    expect(auditOf(ada.id)).toMatchObject([
      { event: 'config.created', session_id, address },
      { event: 'config.updated', session_id, address, details: { id: body.id, key_changed: false } },
      { event: 'config.updated', session_id, address, details: { id: body.id, key_changed: true } },
      { event: 'config.deleted', session_id, address },
      { event: 'session.revoked', session_id: other, address },
      { event: 'account.exported', session_id, address },
      { event: 'account.deleted', session_id, address },
    ]);
  });

  it('contains no password, token or email address, nor does the log around it', async () => {
    logLines.length = 0;
    const ada = await t.user().create();
    const { access_token, refresh_token } = ada.tokens;
    const passwords = [ada.password, 'planted-wrong-password', 'planted-new-password'] as const;
    const answers = [
      await logIn(t, { email: ada.email, password: passwords[1] }),
      await ada.post('/auth/me/password', { password: passwords[2] }),
      await refresh(t, refresh_token),
      await refresh(t, access_token),
    ];

    expect(answers.map(({ status }) => status)).toEqual([401, 204, 200, 401]);
    const log = logLines.join('');
    for (const { headers } of answers) expect(log).toContain(headers.get('X-Request-Id')!);
    for (const secret of [...passwords, ada.email, access_token, refresh_token]) {
      expect(log).not.toContain(secret);
    }
  });
});

describe('GET /admin/audit', () => {
  const [ADA, BOB, EVE] = [900_001, 900_002, 900_003] as const;
  const [DISABLE, DELETE] = ['admin.user.disable', 'admin.user.delete'] as const;
  let admin: TestUser;
  /** Ids of the stored events, oldest first. */
  let ids: number[];

  beforeAll(async () => {
    admin = await createAdmin(t);
    const events = [
      { userId: ADA, action: DISABLE },
      { userId: BOB, targetUserId: ADA, action: DISABLE },
      { userId: EVE, targetUserId: BOB, action: DISABLE },
      { userId: ADA, targetUserId: ADA, action: DELETE },
      { userId: BOB, targetUserId: EVE, action: DELETE },
      { userId: BOB, targetUserId: ADA, action: DELETE },
      { userId: ADA, targetUserId: BOB, action: DELETE },
    ];
    ids = [];
    for (const event of events) {
      const row = { at: new Date(), targetUserId: null, sessionId: 5, address: '203.0.113.7', details: null };
      const { identifiers } = await t.manager.insert(AuditEvent, { ...row, ...event });
      ids.push(Number(identifiers[0]!.id));
    }
  });

  interface Page {
    events: (Thing & { id: number })[];
    has_more: boolean;
  }

  const read = (query: Record<string, string | number>) => {
    const search = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]);
    return admin.get<Page>(`/admin/audit?${new URLSearchParams(search)}`);
  };
  /** Positions in `ids`, and `has_more`. */
  async function found(query: Record<string, string | number>): Promise<[number[], boolean]> {
    const { events, has_more } = (await read(query)).body;
    return [events.map(({ id }) => ids.indexOf(id)), has_more];
  }

  it('finds the events by a user and about a user, each once, newest first', async () => {
    expect(await found({ user_id: ADA })).toEqual([[6, 5, 3, 1, 0], false]);
    expect(await found({ user_id: EVE })).toEqual([[4, 2], false]);
    expect(await found({ user_id: 900_004 })).toEqual([[], false]);
  });

  it('finds the events of an action', async () => {
    expect(await found({ action: DISABLE, before_id: ids[6]! })).toEqual([[2, 1, 0], false]);
    expect(await found({ action: DELETE, user_id: EVE })).toEqual([[4], false]);
    expect(await found({ action: 'admin.user', user_id: EVE })).toEqual([[], false]);
  });

  it('is paged by before_id and limit', async () => {
    expect(await found({ user_id: ADA, limit: 2 })).toEqual([[6, 5], true]);
    expect(await found({ user_id: ADA, limit: 2, before_id: ids[5]! })).toEqual([[3, 1], true]);
    expect(await found({ user_id: ADA, limit: 2, before_id: ids[1]! })).toEqual([[0], false]);
    expect(await found({ user_id: ADA, limit: 3, before_id: ids[5]! })).toEqual([[3, 1, 0], false]);
    expect(await found({ limit: 3, before_id: ids[5]! })).toEqual([[4, 3, 2], true]);
    expect(await found({ action: DELETE, limit: 2, before_id: ids[6]! })).toEqual([[5, 4], true]);
  });

  it('returns 20 events by default and 100 at most', async () => {
    expect((await read({})).body.events).toHaveLength(20);
    const answers = await Promise.all([read({ limit: 0 }), read({ limit: 101 }), read({ before_id: 0 })]);
    expect(answers.map(({ status }) => status)).toEqual([422, 422, 422]);
  });

  it('includes the events that are still being stored', async () => {
    const count = 1000;
    for (let n = 0; n < count; n++) t.app.get(AuditLog).record(DISABLE, { userId: 900_005, sessionId: n });
    const query = { user_id: 900_005, limit: 1 };
    const { events } = await t.app.get(AuditTrailService).list(query);

    expect(events).toMatchObject([{ session_id: count - 1 }]);
  });

  it('shows all fields of an event', async () => {
    const { events } = (await read({ limit: 1, before_id: ids[4]! })).body;
    expect(events).toEqual([
      {
        id: ids[3],
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        action: DELETE,
        user_id: ADA,
        target_user_id: ADA,
        session_id: 5,
        address: '203.0.113.7',
        details: null,
      },
    ]);
  });
});
