/** The signed-in user: reading, changing and deleting the account. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Session } from '../../src/auth/sessions/session.entity.js';
import { User } from '../../src/auth/users/user.entity.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { MessageFile } from '../../src/files/message-file.entity.js';
import { sessionIdOf } from '../support/app/access-token.js';
import { logIn, newAccount, refresh } from '../support/app/accounts.js';
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
const makeLoginOld = (user: TestUser) =>
  t.manager.update(Session, { id: sessionIdOf(user.tokens) }, { createdAt: ago(15 * 60 + 1) });

describe('me', () => {
  it('returns the signed-in user', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const { status, body } = await ada.get('/auth/me');

    expect(status).toBe(200);
    expect(body).toEqual({
      id: ada.id,
      username: ada.username,
      email: ada.email,
      email_verified: false,
      has_password: true,
      second_factor: false,
      role: 'user',
      has_config: true,
      created_at: rfc3339,
    });
  });

  it('changes its username', async () => {
    const ada = await t.user().create();
    const { username } = newAccount();
    const { status, body } = await ada.post('/auth/me/username', { username });

    expect(status).toBe(200);
    expect(body).toMatchObject({ id: ada.id, username, email: ada.email, has_config: false });
    expect((await ada.get('/auth/me')).body).toEqual(body);
  });

  it('changes the case of its own username', async () => {
    const ada = await t.user().create();
    const username = ada.username.toUpperCase();

    expect((await ada.post('/auth/me/username', { username })).body).toMatchObject({ username });
  });

  it('refuses another user’s name or email', async () => {
    const [ada, bob] = [await t.user().create(), await t.user().create()];

    const username = bob.username.toUpperCase();
    expectProblem(await ada.post('/auth/me/username', { username }), 409, 'username_taken');
    expectProblem(await ada.post('/auth/me/email', { email: bob.email }), 409, 'email_taken');
    expect((await ada.get('/auth/me')).body).toMatchObject({ username: ada.username, email: ada.email });
  });

  it('lets only one of many concurrent changes win a username', async () => {
    const users = await Promise.all(Array.from({ length: 5 }, () => t.user().create()));
    const { username } = newAccount();
    const answers = await Promise.all(users.map((user) => user.post('/auth/me/username', { username })));

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409]);
  });

  it('changes the email, in lower case, and logs in with it afterwards', async () => {
    const ada = await t.user().create();
    const { email } = newAccount();
    const { status, body } = await ada.post('/auth/me/email', { email: email.toUpperCase() });

    expect(status).toBe(200);
    expect(body).toMatchObject({ id: ada.id, email });
    expect((await logIn(t, { email, password: ada.password })).status).toBe(200);
    expect((await logIn(t, ada)).status).toBe(401);
  });

  it.each(['/auth/me/email', '/auth/me/password'])(
    'requires the current password for %s once the login is 15 minutes old',
    async (path) => {
      const ada = await t.user().create();
      const { email } = newAccount();
      const change = path.endsWith('email') ? { email } : { password: 'another pass phrase' };
      await makeLoginOld(ada);

      expectProblem(await ada.post(path, change), 403, 'reauthentication_required');
      const wrong = await ada.post(path, { ...change, current_password: 'not the password' });
      expectProblem(wrong, 403, 'wrong_password');
      const right = await ada.post(path, { ...change, current_password: ada.password });
      expect(right.status).toBeLessThan(300);
    },
  );

  it('requires the current password after a refresh of an old login', async () => {
    const ada = await t.user().create();
    await makeLoginOld(ada);
    ada.tokens = (await refresh(t, ada.tokens.refresh_token)).body;

    const answer = await ada.post('/auth/me/email', { email: newAccount().email });
    expectProblem(answer, 403, 'reauthentication_required');
  });

  it('refuses a wrong current password of a recent login too', async () => {
    const ada = await t.user().create();
    const change = { email: newAccount().email, current_password: 'not the password' };

    expectProblem(await ada.post('/auth/me/email', change), 403, 'wrong_password');
    expect((await ada.get('/auth/me')).body.email).toBe(ada.email);
  });

  it('ends every other session when the password changes', async () => {
    const ada = await t.user().create();
    const [phone, laptop] = [await ada.signInAgain(), await ada.signInAgain()];
    const bob = await t.user().create();
    const password = 'another pass phrase';

    let answer!: Answer;
    const events = await t.eventsDuring(
      ada.id,
      async () => (answer = await ada.post('/auth/me/password', { password })),
    );

    expect(answer).toMatchObject({ status: 204, body: '' });
    expect((await ada.get('/auth/me')).status).toBe(200);
    for (const device of [phone, laptop]) {
      expectProblem(await device.get('/auth/me'), 401, 'token_revoked');
      expectProblem(await refresh(t, device.tokens.refresh_token), 401, 'unauthenticated');
    }
    const ended = [phone, laptop].map(({ tokens }) => sessionIdOf(tokens));
    expect(events.map(({ type }) => type)).toEqual(['session.revoked', 'session.revoked']);
    expect(events.map(({ body }) => body.session_id).sort()).toEqual(ended.sort());
    expect((await bob.get('/auth/me')).status).toBe(200);
    expect((await logIn(t, ada)).status).toBe(401);
    expect((await logIn(t, { email: ada.email, password })).status).toBe(200);
  });

  it.each(['short', 'iloveyou1', '\ud800abcdefgh'])(
    'refuses to change the password to %j',
    async (password) => {
      const ada = await t.user().create();

      expectProblem(await ada.post('/auth/me/password', { password }), 422, 'validation_failed', [
        'password',
      ]);
      expect((await logIn(t, ada)).status).toBe(200);
    },
  );

  it('refuses to change the password to the username or email', async () => {
    const ada = await t.user().create();
    for (const password of [ada.username.toUpperCase(), ada.email]) {
      expectProblem(await ada.post('/auth/me/password', { password }), 422, 'validation_failed', [
        'password',
      ]);
    }
  });

  it('lets one of two concurrent password changes win, and leaves one session', async () => {
    const ada = await t.user().create();
    const devices = [ada, await ada.signInAgain(), await ada.signInAgain(), await ada.signInAgain()];
    const answers = await Promise.all(
      devices.map((device, i) => device.post('/auth/me/password', { password: `pass phrase no. ${i}` })),
    );

    const won = answers.findIndex(({ status }) => status === 204);
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    for (const { status } of answers) expect([204, 401]).toContain(status);
    expect(await t.manager.countBy(Session, { userId: ada.id })).toBe(1);
    expect((await logIn(t, { email: ada.email, password: `pass phrase no. ${won}` })).status).toBe(200);
  });

  it('lets one of two concurrent password changes win within one session too', async () => {
    const ada = await t.user().create();
    const passwords = ['the first pass phrase', 'the second pass phrase'];
    const answers = await Promise.all(
      passwords.map((password) => ada.post('/auth/me/password', { password })),
    );

    expect(answers.map(({ status }) => status).sort()).toEqual([204, 403]);
    const password = passwords[answers.findIndex(({ status }) => status === 204)]!;
    expect((await logIn(t, { email: ada.email, password })).status).toBe(200);
    expect((await ada.get('/auth/me')).status).toBe(200);
  });

  it('ends a login with the old password made during the password change', async () => {
    const ada = await t.user().create();
    const [changed, ...logins] = await Promise.all([
      ada.post('/auth/me/password', { password: 'another pass phrase' }),
      ...Array.from({ length: 8 }, () => logIn(t, ada)),
    ]);

    expect(changed.status).toBe(204);
    for (const { status } of logins) expect([200, 401]).toContain(status);
    expect(await t.manager.countBy(Session, { userId: ada.id })).toBe(1);
  });
});

describe('a user without a password', () => {
  const withoutPassword = async () => {
    const ada = await t.user().create();
    await t.manager.update(User, { id: ada.id }, { passwordHash: null });
    return ada;
  };
  const calls = (): [path: string, body: object][] => [
    ['/auth/me/email', { email: newAccount().email, current_password: 'any' }],
    ['/auth/me/password', { password: 'a first pass phrase' }],
    ['/auth/me/delete', {}],
  ];

  it.each([0, 1, 2])('needs a login younger than 15 minutes (call %i)', async (n) => {
    const ada = await withoutPassword();
    const [path, body] = calls()[n]!;
    await makeLoginOld(ada);

    expectProblem(await ada.post(path, body), 403, 'reauthentication_required');
    await t.manager.update(Session, { userId: ada.id }, { createdAt: ago(14 * 60) });
    expect((await ada.post(path, body)).status).toBeLessThan(300);
  });

  it('cannot log in with one', async () => {
    const ada = await withoutPassword();

    expectProblem(await logIn(t, ada), 401, 'unauthenticated');
    expect((await ada.get('/auth/me')).body).toMatchObject({ has_password: false });
  });
});

describe('deleting an account', () => {
  it('requires the password, even right after the login', async () => {
    const ada = await t.user().create();

    expectProblem(await ada.post('/auth/me/delete', {}), 422, 'validation_failed', ['current_password']);
    const wrong = await ada.post('/auth/me/delete', { current_password: 'not the password' });
    expectProblem(wrong, 403, 'wrong_password');
    expect((await ada.get('/auth/me')).status).toBe(200);
  });

  it('deletes everything the user owns, and nothing else', async () => {
    const [ada, bob] = [await t.user().withConfig(t.provider).create(), await t.user().create()];
    const phone = await ada.signInAgain();
    await ada.createConversation({ config_id: ada.configId });
    const kept = await bob.createConversation();

    let answer!: Answer;
    const remove = async () =>
      (answer = await ada.post('/auth/me/delete', { current_password: ada.password }));
    const events = await t.eventsDuring(ada.id, remove);

    expect(answer).toMatchObject({ status: 204, body: '' });
    expect(events.map(({ type }) => type)).toEqual([
      ...['session.revoked', 'session.revoked'],
      ...['account.disabled', 'account.deleted'],
    ]);
    for (const table of ['users', 'sessions', 'known_addresses', 'model_configs', 'conversations']) {
      const column = table === 'users' ? 'id' : 'user_id';
      expect(await t.manager.query(`SELECT * FROM ${table} WHERE ${column} = ?`, [ada.id])).toEqual([]);
    }
    for (const device of [ada, phone]) {
      expectProblem(await device.get('/auth/me'), 401, 'token_revoked');
      expectProblem(await refresh(t, device.tokens.refresh_token), 401, 'unauthenticated');
    }
    expectProblem(await logIn(t, ada), 401, 'unauthenticated');
    expect((await bob.get(`/conversations/${kept.id}`)).status).toBe(200);
  });

  it('deletes the messages of every conversation, with what belongs to them', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    for (let n = 0; n < 3; n++) {
      const { id } = await ada.createConversation();
      await ada.send(id, 'Hi', { file_ids: [(await ada.upload(`File ${n}`)).id] });
      await ada.send(id, 'Hi again', { file_ids: [(await ada.upload(`Another ${n}`)).id] });
    }
    const left = async () => [
      await t.manager.countBy(Message, { userId: ada.id }),
      await t.manager.count(MessageFile),
    ];
    expect(await left()).toEqual([12, 6]);

    expect((await ada.post('/auth/me/delete', { current_password: ada.password })).status).toBe(204);

    expect(await left()).toEqual([0, 0]);
  });

  it('frees the username and email for others', async () => {
    const ada = await t.user().create();
    await ada.post('/auth/me/delete', { current_password: ada.password });

    const { username, email, password } = ada;
    expect((await t.http.post('/auth/register', { username, email, password })).status).toBe(201);
  });
});

it('leave no gaps in the audit trail', async () => expect(await gapsInAudit(t)).toEqual([]));
