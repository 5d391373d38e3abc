/** Requests whose session is ended while they run: a thief's request, as the owner acts. */
import { afterAll, afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { importJWK, SignJWT } from 'jose';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { PasswordService } from '../../src/auth/passwords/password.service.js';
import { MailToken } from '../../src/auth/mails/mail-token.entity.js';
import { StoredFile } from '../../src/files/file.entity.js';
import { Uploads } from '../../src/files/uploads.service.js';
import { RateLimits } from '../../src/throttling/rate-limits.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { totpCode, turnOnTotp } from '../support/app/totp.js';
import type { TestUser } from '../support/app/user.js';
import type { Answer } from '../support/clients/http.js';
import { expectProblem } from '../support/clients/problems.js';
import { until } from '../support/infrastructure/until.js';
import { newSigningKey, PlayedIssuer } from '../support/infrastructure/openid-provider.js';

let t: TestApp;
let thief: TestUser;
let owner: TestUser;

async function start(env: Record<string, string> = {}): Promise<void> {
  t = await startTestApp({ env });
  thief = await t.user().create();
  owner = await thief.signInAgain();
}

let issuer: PlayedIssuer | undefined;
beforeEach(() => void (issuer = undefined));
afterEach(async () => {
  await t.stop();
  await issuer?.stop();
});
afterAll(() => void jest.restoreAllMocks());

/** Posts with the thief's session, and ends that session while the password is verified. */
async function postWhileEnded(path: string, body: object): Promise<Answer> {
  const passwords = t.app.get(PasswordService);
  const verify = passwords.verify.bind(passwords);
  let proceed!: () => void;
  const ended = new Promise<void>((resolve) => (proceed = resolve));
  const verifying = new Promise<void>((resolve) =>
    jest.spyOn(passwords, 'verify').mockImplementationOnce(async (...args) => {
      resolve();
      await ended;
      return verify(...args);
    }),
  );
  const answer = thief.post(path, { current_password: thief.password, ...body });
  await verifying;
  expect((await owner.post('/auth/sessions/revoke-others')).status).toBe(204);
  proceed();
  return answer;
}

/** Posts with the thief's session, and has the owner change the password before the mail that it requests is stored. */
async function postBeforePasswordChange(path: string, body?: object): Promise<Answer> {
  const limits = t.app.get(RateLimits);
  const tryConsume = limits.tryConsume.bind(limits);
  let changed: Answer | undefined;
  jest.spyOn(limits, 'tryConsume').mockImplementation(async (name, key) => {
    if (name === 'mails')
      changed ??= await owner.post('/auth/me/password', { password: 'of the owner alone' });
    return tryConsume(name, key);
  });
  const answer = await thief.post(path, body);
  expect(changed?.status).toBe(204);
  return answer;
}

async function idToken(of: PlayedIssuer): Promise<string> {
  const key = await newSigningKey('ES256');
  const { d: _, ...publicPart } = key;
  of.keys = [publicPart];
  return new SignJWT({ sub: 'thief', aud: 'app', iss: of.issuer })
    .setProtectedHeader({ alg: 'ES256', kid: key.kid })
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(await importJWK(key, 'ES256'));
}

it('an ended session changes no email address', async () => {
  await start({ EMAIL_VERIFICATION: 'optional' });

  expectProblem(await postWhileEnded('/auth/me/email', { email: 'thief@example.com' }), 401, 'token_revoked');
  expect((await owner.get('/auth/me')).body.email).toBe(owner.email);
});

it('an ended session has no new email address verified', async () => {
  await start({ EMAIL_VERIFICATION: 'optional' });
  Object.assign(t.settings, { emailVerification: 'required' });

  expectProblem(await postWhileEnded('/auth/me/email', { email: 'thief@example.com' }), 401, 'token_revoked');
  expect(await t.manager.countBy(MailToken, { userId: owner.id, email: 'thief@example.com' })).toBe(0);
});

it.each<[string, object | undefined]>([
  ['/auth/me/email', { email: 'thief@example.com' }],
  ['/auth/email/verification', undefined],
])('a session that a changed password has ended is mailed no link by %s', async (path, body) => {
  await start({ EMAIL_VERIFICATION: 'optional' });
  Object.assign(t.settings, { emailVerification: 'required' });
  expect((await thief.post('/auth/me/email', { email: 'thief@example.com' })).status).toBe(200);

  expectProblem(await postBeforePasswordChange(path, body), 401, 'token_revoked');
  expect(await t.manager.countBy(MailToken, { userId: owner.id })).toBe(0);
});

it('an ended session links no identity', async () => {
  issuer = await PlayedIssuer.start();
  await start({ OIDC_PROVIDERS: JSON.stringify([{ issuer: issuer.issuer, audience: 'app' }]) });
  const id_token = await idToken(issuer);

  expectProblem(await postWhileEnded('/auth/identities', { id_token }), 401, 'token_revoked');
  expect((await owner.get('/auth/identities')).body).toEqual({ identities: [] });
});

it('an ended session does not turn off the second factor', async () => {
  await start();
  const { secret, recoveryCodes } = await turnOnTotp(thief);
  const { email, password } = thief;
  owner.tokens = (await owner.post('/auth/login', { email, password, code: totpCode(secret) })).body as never;

  const answer = await postWhileEnded('/auth/me/totp/remove', { code: recoveryCodes[0] });

  expectProblem(answer, 401, 'token_revoked');
  expect((await owner.get('/auth/me')).body.second_factor).toBe(true);
});

it.each([
  ['an ended session', () => owner.post('/auth/sessions/revoke-others')],
  ['a deleted account', () => owner.post('/auth/me/delete', { current_password: owner.password })],
])('the upload of %s is not stored', async (_, end) => {
  await start();
  const upload = request(`${t.url}/files`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${thief.tokens.access_token}`,
      'Content-Type': 'multipart/form-data; boundary=x',
    },
  });
  const answered = once(upload, 'response') as Promise<[IncomingMessage]>;
  const receive = jest.spyOn(t.app.get(Uploads), 'receive');
  upload.write('--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nSome ');
  await until(() => receive.mock.calls.length > 0);

  expect((await end()).status).toBe(204);
  upload.end('text\r\n--x--\r\n');

  const [response] = await answered;
  expect([response.statusCode, await json(response)]).toMatchObject([401, { code: 'token_revoked' }]);
  expect(await t.manager.countBy(StoredFile, { userId: thief.id })).toBe(0);
});

it('an ended session does not delete the account', async () => {
  await start();

  expectProblem(await postWhileEnded('/auth/me/delete', {}), 401, 'token_revoked');
  expect((await owner.get('/auth/me')).body.id).toBe(thief.id);
});
