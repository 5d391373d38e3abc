/** Logging in. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import argon2 from 'argon2';
import { DataSource } from 'typeorm';
import { RefreshToken } from '../../src/auth/sessions/refresh-token.entity.js';
import { hashToken } from '../../src/encryption/random-token.js';
import { User } from '../../src/auth/users/user.entity.js';
import { sessionIdOf } from '../support/app/access-token.js';
import { logIn, newAccount } from '../support/app/accounts.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { expectProblem } from '../support/clients/problems.js';

let t: TestApp;

beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t.stop());

describe('login', () => {
  it('returns an access token and a refresh token', async () => {
    const ada = await t.user().create();
    const { status, body } = await logIn(t, ada);

    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
      token_type: 'bearer',
      expires_in: 3600,
      refresh_expires_in: 604800,
    });
  });

  it('answers an unknown email and a wrong password identically', async () => {
    const ada = await t.user().create();
    const wrongPassword = await logIn(t, { email: ada.email, password: 'not the password' });
    const wrongEmail = await logIn(t, { email: `nobody-${ada.email}`, password: ada.password });

    expectProblem(wrongPassword, 401, 'unauthenticated');
    expect({ ...wrongEmail.body, request_id: '' }).toEqual({ ...wrongPassword.body, request_id: '' });
    expect(wrongEmail.status).toBe(wrongPassword.status);
    expect(wrongEmail.headers.get('WWW-Authenticate')).toBe(wrongPassword.headers.get('WWW-Authenticate'));
  });

  it('accepts the password in another Unicode composition', async () => {
    const nova = { ...newAccount(), password: 'caf\u00e9 \ufb01n au lait' };
    await t.http.post('/auth/register', nova);

    expect((await logIn(t, { ...nova, password: 'cafe\u0301 fin au lait' })).status).toBe(200);
  });

  it('stores only the hash of a refresh token', async () => {
    const ada = await t.user().create();
    const { refresh_token } = ada.tokens;

    const rows = await t.manager.findBy(RefreshToken, { sessionId: sessionIdOf(ada.tokens) });
    expect(rows).toMatchObject([{ tokenHash: hashToken(refresh_token), usedAt: null }]);
    expect(JSON.stringify(rows)).not.toContain(refresh_token);
  });

  it.each([
    [{ email: 'ada@example.com' }, 'password'],
    [{ email: { $ne: 1 }, password: 'x' }, 'email'],
    [{ email: 'ada@example.com', password: { $ne: 1 } }, 'password'],
    [{ email: 'ada@example.com', password: 'x\0' }, 'password'],
  ])('answers 422 for %j', async (body, field) => {
    expectProblem(await t.http.post('/auth/login', body), 422, 'validation_failed', [field]);
  });
});
// Last, as Passport's strategy is the process's, and so the newest app's from then on.
describe('a login to an old account', () => {
  it('rehashes the password when the stored hash is weaker than the current parameters', async () => {
    const costly = await startTestApp({ costlyHashes: true });
    const ada = await costly.user().create();
    const users = costly.app.get(DataSource).getRepository(User);
    const weak = await argon2.hash(ada.password, { type: argon2.argon2id, memoryCost: 8192, timeCost: 1 });
    await users.update({ id: ada.id }, { passwordHash: weak });

    await ada.signInAgain();
    const { passwordHash } = await users.findOneByOrFail({ id: ada.id });
    expect(passwordHash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    await ada.signInAgain();
    await costly.stop();
  });
});
