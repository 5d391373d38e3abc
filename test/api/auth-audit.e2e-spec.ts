/** The audit trail. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sessionIdOf } from '../support/app/access-token.js';
import { logIn, newAccount, refresh } from '../support/app/accounts.js';
import { startTestApp, type TestApp } from '../support/app/app.js';

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
