/** Texts of problems, which clients show to users. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RefreshToken } from '../../src/auth/sessions/refresh-token.entity.js';
import { hashToken } from '../../src/encryption/random-token.js';
import { newAccount } from '../support/app/accounts.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Answer } from '../support/clients/http.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let ada: TestUser;
let chat: number;
beforeAll(async () => {
  t = await startTestApp();
  ada = await t.user().withConfig(t.provider).create();
  chat = (await ada.createConversation()).id as number;
});
afterAll(() => t?.stop());

const errorsOf = ({ body }: Answer<unknown>) =>
  Object.fromEntries(
    (body as { errors: { field: string; message: string }[] }).errors.map(({ field, message }) => [
      field,
      message,
    ]),
  );

const register = (fields: object) => t.http.post('/auth/register', { ...newAccount(), ...fields });
const changeConfig = (changes: object) => ada.post(`/auth/config/${ada.configId}/update`, changes);

describe('an invalid field', () => {
  const EMAIL = 'Must be an email address.';
  const MAILED = 'Must be a token from a mail that was not used and has not expired.';
  const DAY = 'Must be a day, such as 2026-01-31.';
  const { username, email } = newAccount();
  const password = 'a fresh pass phrase';
  const otherOrigin = { model_url: 'http://127.0.0.1:2/v1' };
  const withKey = { model_url: 'https://api.example.com/v1?api_key=0123456789abcdef' };

  it.each<[about: string, request: () => Promise<Answer<unknown>>, errors: object]>([
    [
      'a username in white space',
      () => register({ username: ' ada' }),
      { username: 'Must not begin or end with white space.' },
    ],
    [
      'a username of two lines',
      () => register({ username: 'a\u0085da' }),
      { username: 'Must not contain control characters.' },
    ],
    [
      'a username that is reversed',
      () => register({ username: 'ada\u202egnp' }),
      { username: 'Must not contain directional controls.' },
    ],
    [
      'an invisible username',
      () => register({ username: '\u3164\uffa0\u115f' }),
      { username: 'Must have characters that can be seen.' },
    ],
    ['no address at registration', () => register({ email: 'ada' }), { email: EMAIL }],
    ['no address at login', () => t.http.post('/auth/login', { email: 'ada', password }), { email: EMAIL }],
    [
      'a common password',
      () => register({ password: 'Password1' }),
      { password: 'Is one of the most common passwords.' },
    ],
    [
      'the username as password',
      () => register({ username, password: username }),
      { password: 'Must not be the username.' },
    ],
    [
      'the address as password',
      () => register({ email, password: email }),
      { password: 'Must not be the email address.' },
    ],
    [
      'an unknown invitation',
      () => register({ invitation: 'x' }),
      { invitation: 'Must be the code of an invitation that was not used and has not expired.' },
    ],
    [
      'an unknown token of a mail',
      () => t.http.post('/auth/password/reset', { token: 'x'.repeat(43), password }),
      { token: MAILED },
    ],
    [
      'no current password',
      () => ada.post('/auth/me/delete', {}),
      { current_password: 'Must be the current password.' },
    ],
    [
      'an unknown configuration',
      () => ada.post('/conversations/create', { config_id: 999_999 }),
      { config_id: 'Must be one of your configurations.' },
    ],
    [
      'the default that shall be none',
      () => changeConfig({ is_default: false }),
      { is_default: 'Must not be false for the default: make another configuration the default instead.' },
    ],
    [
      'a URL of another host without the key',
      () => changeConfig(otherOrigin),
      { api_key: 'Must be sent again, as model_url has another scheme, host or port now.' },
    ],
    [
      'a key in a URL',
      () => changeConfig(withKey),
      { model_url: 'Must not carry a credential in its query: send it as api_key.' },
    ],
    [
      'a cursor of no list',
      () => ada.get('/conversations?cursor=x'),
      { cursor: 'Must be the next_cursor of a page of the same list.' },
    ],
    [
      'an offset beside a cursor',
      () => ada.get('/conversations?cursor=x&offset=1'),
      { offset: 'Must not be given beside a cursor.' },
    ],
    ['no days', () => ada.get('/auth/me/usage?from=today&to=2026-02-30'), { from: DAY, to: DAY }],
    [
      'days in reverse',
      () => ada.get('/auth/me/usage?from=2026-02-02&to=2026-02-01'),
      { from: 'Must not be after `to`.' },
    ],
  ])('is explained: %s', async (_about, request, errors) => {
    const answer = await request();

    expect(answer).toMatchObject({ status: 422, body: { code: 'validation_failed' } });
    expect(errorsOf(answer)).toEqual(errors);
  });
});

describe('a refused token', () => {
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
  const refresh = (token: string) => t.http.post('/auth/refresh', { refresh_token: token });

  it.each<[about: string, request: () => Promise<Answer<unknown>>, code: string, detail: string]>([
    [
      'an invalid access token',
      () => t.http.get('/auth/me', bearer('x')),
      'unauthenticated',
      'The access token is not valid.',
    ],
    [
      'an invalid ticket',
      () => t.http.get(`/conversations/${chat}/events?ticket=${'x'.repeat(43)}`),
      'unauthenticated',
      'The ticket is not valid.',
    ],
    [
      'an invalid refresh token',
      () => refresh('x'.repeat(43)),
      'unauthenticated',
      'The refresh token is not valid.',
    ],
    [
      'an expired refresh token',
      async () => {
        const { refresh_token } = (await t.user().create()).tokens;
        const row = { tokenHash: hashToken(refresh_token) };
        await t.manager.update(RefreshToken, row, { expiresAt: new Date(Date.now() - 1000) });
        return refresh(refresh_token);
      },
      'token_expired',
      'The refresh token has expired.',
    ],
  ])('is explained: %s', async (_about, request, code, detail) => {
    expect(await request()).toMatchObject({ status: 401, body: { code, detail } });
  });

  it('is explained on a socket that continues as another user', async () => {
    const { access_token } = (await t.user().create()).tokens;

    expect(await ada.socket().emit('auth.refresh', { token: access_token })).toMatchObject({
      error: { code: 'unauthenticated', detail: 'The access token is another user’s.' },
    });
  });
});
