/** Sessions: logout, list and revocation. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RefreshToken } from '../../src/auth/sessions/refresh-token.entity.js';
import { ExpiryPurgeService } from '../../src/auth/tokens/expiry-purge.service.js';
import { Session } from '../../src/auth/sessions/session.entity.js';
import { sessionIdOf } from '../support/app/access-token.js';
import { logIn, refresh } from '../support/app/accounts.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { gapsInAudit } from '../support/app/audit.js';
import type { Answer } from '../support/clients/http.js';
import { expectProblem } from '../support/clients/problems.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;

beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t.stop());

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000);
const rfc3339 = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe('logout', () => {
  it('ends only that session, its refresh token included, at once', async () => {
    const ada = await t.user().create();
    const other = await ada.signInAgain();

    let answer!: Answer;
    const events = await t.eventsDuring(ada.id, async () => (answer = await ada.post('/auth/logout')));

    expect(answer).toMatchObject({ status: 204, body: '' });
    const session_id = sessionIdOf(ada.tokens);
    expect(events).toMatchObject([{ type: 'session.revoked', body: { session_id } }]);
    const after = await ada.get('/auth/me');
    expectProblem(after, 401, 'token_revoked');
    expect(after.headers.get('WWW-Authenticate')).toContain('error="invalid_token"');
    expectProblem(await ada.post('/auth/logout'), 401, 'token_revoked');
    expectProblem(await refresh(t, ada.tokens.refresh_token), 401, 'unauthenticated');
    expect((await other.get('/auth/me')).status).toBe(200);
  });

  it('ends the session also while a refresh runs', async () => {
    const ada = await t.user().create();
    const racing = Array.from({ length: 5 }, () => refresh(t, ada.tokens.refresh_token));
    await Promise.race(racing); // so that one at least is given tokens
    await ada.post('/auth/logout');
    const refreshed = await Promise.all(racing);

    const given = refreshed.filter(({ status }) => status === 200);
    expect(given.length).toBeGreaterThan(0);
    for (const { body } of given) {
      const Authorization = `Bearer ${body.access_token}`;
      expectProblem(await t.http.get('/auth/me', { Authorization }), 401, 'token_revoked');
      expectProblem(await refresh(t, body.refresh_token), 401, 'unauthenticated');
    }
    for (const refused of refreshed.filter(({ status }) => status !== 200)) {
      expect(refused.status).toBe(401);
    }
    expect(await t.manager.countBy(Session, { userId: ada.id })).toBe(0);
  });
});

describe('sessions', () => {
  const list = async (user: TestUser) => {
    const { body } = await user.get<{ sessions: { id: number; [member: string]: unknown }[] }>(
      '/auth/sessions',
    );
    return body.sessions;
  };

  it('are listed with their origin, most recently used first', async () => {
    const ada = await t.user().create();
    const { body: tokens } = await logIn(t, ada, { 'User-Agent': `Phone/${'1'.repeat(300)}` });
    await t.manager.update(Session, { id: sessionIdOf(ada.tokens) }, { lastUsedAt: ago(30) });

    expect(await list(ada)).toEqual([
      {
        id: sessionIdOf(tokens),
        created_at: rfc3339,
        last_used_at: rfc3339,
        ip: '127.0.0.1',
        user_agent: `Phone/${'1'.repeat(249)}`,
        current: false,
      },
      {
        id: sessionIdOf(ada.tokens),
        created_at: rfc3339,
        last_used_at: rfc3339,
        ip: '127.0.0.1',
        user_agent: expect.any(String),
        current: true,
      },
    ]);
  });

  it('are not listed once expired', async () => {
    const ada = await t.user().create();
    const other = await ada.signInAgain();
    await t.manager.update(Session, { id: sessionIdOf(other.tokens) }, { expiresAt: ago(1) });

    expect(await list(ada)).toMatchObject([{ id: sessionIdOf(ada.tokens) }]);
  });

  it('record their last use, to the minute', async () => {
    const ada = await t.user().create();
    const id = sessionIdOf(ada.tokens);
    const lastUsed = async () => (await t.manager.findOneByOrFail(Session, { id })).lastUsedAt;
    await t.manager.update(Session, { id }, { lastUsedAt: ago(50) });
    const before = await lastUsed();
    await ada.get('/auth/me');
    expect(await lastUsed()).toEqual(before);

    await t.manager.update(Session, { id }, { lastUsedAt: ago(61) });
    // No request waits for it to be written.
    await ada.get('/auth/me');
    while (Date.now() - (await lastUsed()).getTime() > 30_000) await new Promise(setImmediate);
  });

  it('are revoked one by one, which closes their sockets', async () => {
    const ada = await t.user().create();
    const [phone, laptop] = [await ada.signInAgain(), await ada.signInAgain()];
    const session_id = sessionIdOf(phone.tokens);

    let answer!: Answer;
    const revoke = async () => (answer = await ada.post(`/auth/sessions/${session_id}/revoke`));
    const events = await t.eventsDuring(ada.id, revoke);

    expect(answer).toMatchObject({ status: 204, body: '' });
    expect(events).toMatchObject([{ type: 'session.revoked', body: { session_id } }]);
    expectProblem(await phone.get('/auth/me'), 401, 'token_revoked');
    expectProblem(await refresh(t, phone.tokens.refresh_token), 401, 'unauthenticated');
    expect((await laptop.get('/auth/me')).status).toBe(200);
    expectProblem(await ada.post(`/auth/sessions/${session_id}/revoke`), 404, 'not_found');
  });

  it('are all revoked except the current one', async () => {
    const ada = await t.user().create();
    const [phone, bob] = [await ada.signInAgain(), await t.user().create()];

    expect(await ada.post('/auth/sessions/revoke-others')).toMatchObject({ status: 204, body: '' });
    expect((await ada.get('/auth/me')).status).toBe(200);
    expectProblem(await phone.get('/auth/me'), 401, 'token_revoked');
    expect((await bob.get('/auth/me')).status).toBe(200);
    expect((await ada.post('/auth/sessions/revoke-others')).status).toBe(204);
  });

  it('of another user are reported as missing, and stay valid', async () => {
    const [ada, bob] = [await t.user().create(), await t.user().create()];
    const others = await ada.post(`/auth/sessions/${sessionIdOf(bob.tokens)}/revoke`);
    const missing = await ada.post('/auth/sessions/999999999/revoke');

    expectProblem(others, 404, 'not_found');
    const same = { request_id: '', instance: '' };
    expect({ ...others.body, ...same }).toEqual({ ...missing.body, ...same });
    expect((await bob.get('/auth/me')).status).toBe(200);
    expect(await list(ada)).toHaveLength(1);
  });

  it.each(['0', '-1', '1.5', '9223372036854775808', 'x', '1e3', '%00'])(
    'are not found by the id %s',
    async (id) => {
      const ada = await t.user().create();

      expectProblem(await ada.post(`/auth/sessions/${id}/revoke`), 404, 'not_found');
    },
  );

  it('are deleted with their tokens a week after they expired', async () => {
    const ada = await t.user().create();
    const [old, older] = [await ada.signInAgain(), await ada.signInAgain()];
    await t.manager.update(Session, { id: sessionIdOf(old.tokens) }, { expiresAt: ago(6 * 86_400) });
    await t.manager.update(Session, { id: sessionIdOf(older.tokens) }, { expiresAt: ago(8 * 86_400) });
    await t.app.get(ExpiryPurgeService).run();

    const left = await t.manager.findBy(Session, { userId: ada.id });
    expect(left.map(({ id }) => id).sort()).toEqual(
      [ada, old].map(({ tokens }) => sessionIdOf(tokens)).sort(),
    );
    expect(await t.manager.countBy(RefreshToken, { sessionId: sessionIdOf(older.tokens) })).toBe(0);
  });
});

describe('a restart', () => {
  it('keeps sessions, and the end of a session whose token was reused', async () => {
    const [ada, bob] = [await t.user().create(), await t.user().create()];
    const { body: second } = await refresh(t, bob.tokens.refresh_token);
    const { body: third } = await refresh(t, second.refresh_token);
    expectProblem(await refresh(t, bob.tokens.refresh_token), 401, 'token_reused');
    await t.restart();

    expect((await ada.get('/auth/me')).status).toBe(200);
    expect((await refresh(t, ada.tokens.refresh_token)).status).toBe(200);
    for (const { refresh_token } of [bob.tokens, second, third]) {
      expectProblem(await refresh(t, refresh_token), 401, 'unauthenticated');
    }
  });
});

it('leave no gaps in the audit trail', async () => expect(await gapsInAudit(t)).toEqual([]));
