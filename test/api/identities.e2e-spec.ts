/** Users of OpenID providers: exchange, linking and unlinking. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import getPort from 'get-port';
import { importJWK, type JWK, SignJWT } from 'jose';
import { randomUUID } from 'node:crypto';
import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { ExternalIdentity } from '../../src/auth/identities/external-identity.entity.js';
import { issueMailToken } from '../../src/auth/mails/mail-tokens.js';
import { Session } from '../../src/auth/sessions/session.entity.js';
import { User } from '../../src/auth/users/user.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { auditActionsOf, gapsInAudit } from '../support/app/audit.js';
import { totpCode, turnOnTotp } from '../support/app/totp.js';
import { HttpClient, type Answer } from '../support/clients/http.js';
import { expectProblem } from '../support/clients/problems.js';
import {
  ALGORITHMS,
  newSigningKey,
  OpenIdProvider,
  PlayedIssuer,
} from '../support/infrastructure/openid-provider.js';

interface Exchanged {
  access_token: string;
  created: boolean;
}

let port: number;
let played: PlayedIssuer;
let key: JWK;
let t: TestApp;
beforeAll(async () => {
  port = await getPort();
  played = await PlayedIssuer.start();
  key = await newSigningKey('ES256');
  played.keys = [publicPart(key)];
  const providers = [
    ...ALGORITHMS.map((algorithm) => ({
      issuer: `http://127.0.0.1:${port}`,
      audience: `app-${algorithm}`,
    })),
    { issuer: played.issuer, audience: 'app' },
  ];
  t = await startTestApp({ env: { OIDC_PROVIDERS: JSON.stringify(providers) } });
});
afterAll(async () => {
  await t?.stop();
  await played?.stop();
});

const publicPart = ({ d: _, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...rest }: JWK): JWK => rest;

const exchange = (id_token: string, client = t.http, extra: object = {}) =>
  client.post<Exchanged>('/auth/exchange', { id_token, ...extra });

/** An ID token of the played issuer. */
async function idToken(claims: object = {}): Promise<string> {
  return new SignJWT({ sub: randomUUID(), aud: 'app', ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: key.kid })
    .setIssuer(played.issuer)
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(await importJWK(key, 'ES256'));
}

const signedIn = ({ body }: Answer<Exchanged>) =>
  new HttpClient(
    () => t.url,
    () => ({ Authorization: `Bearer ${body.access_token}` }),
  );

const newName = () => `n${randomUUID().slice(0, 12)}`;

describe('an ID token of a real provider', () => {
  const users = new Map<string, { name: string; id: unknown }>();
  let provider: OpenIdProvider;
  beforeAll(async () => {
    provider = await OpenIdProvider.start(port);
  });
  afterAll(() => provider?.stop());

  it.each(ALGORITHMS)('signs in, signed by %s', async (algorithm) => {
    const name = newName();
    const answer = await exchange(await provider.signIn(name, algorithm));

    expect(answer).toMatchObject({
      status: 200,
      body: { created: true, token_type: 'bearer', expires_in: 3600, refresh_expires_in: 604_800 },
    });
    const { body: user } = await signedIn(answer).get('/auth/me');
    expect(user).toMatchObject({
      username: name,
      email: `${name}@example.com`,
      email_verified: true,
      has_password: false,
    });
    users.set(algorithm, { name, id: user.id });
  });

  it('signs in after the provider replaced its keys', async () => {
    await provider.stop();
    provider = await OpenIdProvider.start(port);
    for (const algorithm of ALGORITHMS) {
      const { name, id } = users.get(algorithm)!;
      const token = await provider.signIn(name, algorithm);
      const answer = await later(() => exchange(token));

      expect(answer).toMatchObject({ status: 200, body: { created: false } });
      expect((await signedIn(answer).get('/auth/me')).body.id).toBe(id);
    }
  });
});

/** Works 31 s later: after the time between two fetches of an issuer's keys. */
async function later<T>(work: () => Promise<T>): Promise<T> {
  const now = Date.now;
  Date.now = () => now() + 31_000;
  try {
    return await work();
  } finally {
    Date.now = now;
  }
}

describe('a first exchange', () => {
  it('takes the address only if the provider vouches for it', async () => {
    for (const email_verified of [false, 'true', undefined]) {
      const answer = await exchange(await idToken({ email: `${newName()}@example.com`, email_verified }));
      expect((await signedIn(answer).get('/auth/me')).body).toMatchObject({
        email: null,
        email_verified: false,
      });
    }
  });

  it('ignores an unverified address that somebody has, and refuses a verified one', async () => {
    const ada = await t.user().create();
    const claims = { email: ada.email.toUpperCase(), email_verified: true };

    expect((await exchange(await idToken({ ...claims, email_verified: false }))).status).toBe(200);
    expectProblem(await exchange(await idToken(claims)), 409, 'email_taken');
    expect(await t.manager.countBy(ExternalIdentity, { userId: ada.id })).toBe(0);
  });

  it.each([
    [{ preferred_username: '  Zoë  ' }, /^Zoë(-[\da-f]{8})?$/],
    [{ preferred_username: 'ab', name: 'Ada Lovelace' }, /^Ada Lovelace(-[\da-f]{8})?$/],
    [{ name: 'x'.repeat(80) }, /^x{41,50}(-[\da-f]{8})?$/],
    [{ preferred_username: '\u202e\u0000\n', name: 7 }, /^user(-[\da-f]{8})?$/],
    [{}, /^user(-[\da-f]{8})?$/],
  ])('makes a unique username of %j', async (claims, expected) => {
    const names = [];
    for (let n = 0; n < 2; n++) {
      const answer = await exchange(await idToken(claims));
      expect(answer.status).toBe(200);
      names.push((await signedIn(answer).get('/auth/me')).body.username);
    }
    expect(names).toEqual([expect.stringMatching(expected), expect.stringMatching(expected)]);
    expect(new Set(names).size).toBe(2);
  });

  it('refuses a wrong invitation', async () => {
    const answer = await exchange(await idToken(), t.http, { invitation: 'x' });

    expectProblem(answer, 422, 'validation_failed', ['invitation']);
  });

  it('keeps the tokens of different subjects apart', async () => {
    const answers = [await exchange(await idToken()), await exchange(await idToken())];
    const ids = await Promise.all(
      answers.map(async (answer) => (await signedIn(answer).get('/auth/me')).body.id),
    );

    expect(new Set(ids).size).toBe(2);
  });
});

describe('identities', () => {
  it('are linked to an account, listed, exported and unlinked', async () => {
    const ada = await t.user().create();
    const sub = randomUUID();
    const linked = await ada.post('/auth/identities', { id_token: await idToken({ sub }) });

    expect(linked.status).toBe(201);
    expect(linked.body).toEqual({
      id: expect.any(Number),
      issuer: played.issuer,
      subject: sub,
      created_at: expect.any(String),
    });
    const again = await ada.post('/auth/identities', { id_token: await idToken({ sub }) });
    expect([again.status, again.body]).toEqual([200, linked.body]);
    const list = { identities: [linked.body] };
    expect((await ada.get('/auth/identities')).body).toEqual(list);
    expect((await ada.get('/auth/me/export')).body).toMatchObject(list);
    const login = await exchange(await idToken({ sub }));
    expect(login.body.created).toBe(false);
    expect((await signedIn(login).get('/auth/me')).body.id).toBe(ada.id);
    expect((await ada.post(`/auth/identities/${linked.body.id}/delete`)).status).toBe(204);
    expect((await ada.get('/auth/identities')).body).toEqual({ identities: [] });
    const trail = await auditActionsOf(t, ada.id);
    expect(trail.filter((action) => action.startsWith('identity.'))).toEqual([
      'identity.linked',
      'identity.unlinked',
    ]);
    expect((await exchange(await idToken({ sub }))).body.created).toBe(true);
  });

  it('of somebody else cannot be linked or unlinked', async () => {
    const [ada, eve] = [await t.user().create(), await t.user().create()];
    const sub = randomUUID();
    const { body } = await ada.post('/auth/identities', { id_token: await idToken({ sub }) });

    const answer = await eve.post('/auth/identities', { id_token: await idToken({ sub }) });
    expectProblem(answer, 409, 'identity_in_use');
    expectProblem(await eve.post(`/auth/identities/${body.id}/delete`), 404, 'not_found');
  });

  it('are linked with the password once the login is 15 minutes old', async () => {
    const ada = await t.user().create();
    await t.manager.update(Session, { userId: ada.id }, { createdAt: new Date(Date.now() - 16 * 60_000) });
    const link = async (extra: object) =>
      ada.post('/auth/identities', { id_token: await idToken(), ...extra });

    expectProblem(await link({}), 403, 'reauthentication_required');
    expectProblem(await link({ current_password: 'not the password' }), 403, 'wrong_password');
    expect((await link({ current_password: ada.password })).status).toBe(201);
  });

  it('stay while they are the last way to log in, also of two requests at once', async () => {
    const user = signedIn(await exchange(await idToken()));
    expect((await user.post('/auth/identities', { id_token: await idToken() })).status).toBe(201);
    const { body } = await user.get<{ identities: { id: number }[] }>('/auth/identities');
    const answers = await Promise.all(
      body.identities.map(({ id }) => user.post(`/auth/identities/${id}/delete`)),
    );

    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
    expectProblem(
      answers.find(({ status }) => status === 409)!,
      409,
      'last_login_method',
    );
  });

  it.each([
    ['are unlinked by a reset that verifies the address for the first time', false, 0],
    ['stay after the reset of a verified address', true, 1],
  ])('%s', async (_, emailVerified, count) => {
    const ada = await t.user().create();
    await t.manager.update(User, { id: ada.id }, { emailVerified });
    const sub = randomUUID();
    await ada.post('/auth/identities', { id_token: await idToken({ sub }) });
    const user = { id: ada.id, email: ada.email };
    const token = await issueMailToken(t.manager, user, { purpose: 'reset', email: ada.email });
    const reset = { token, password: 'a long enough pass phrase' };

    expect((await t.http.post('/auth/password/reset', reset)).status).toBe(204);
    expect(await t.manager.countBy(ExternalIdentity, { subject: sub })).toBe(count);
    expect((await exchange(await idToken({ sub }))).body.created).toBe(count === 0);
  });

  it('are deleted with the account', async () => {
    const sub = randomUUID();
    const user = signedIn(await exchange(await idToken({ sub })));

    expect((await user.post('/auth/me/delete')).status).toBe(204);
    expect(await t.manager.countBy(ExternalIdentity, { subject: sub })).toBe(0);
  });

  it('sign in with the second factor of the account', async () => {
    const ada = await t.user().create();
    const sub = randomUUID();
    await ada.post('/auth/identities', { id_token: await idToken({ sub }) });
    const { secret } = await turnOnTotp(ada);
    const attempt = async (extra: object) => exchange(await idToken({ sub }), t.http, extra);

    expectProblem(await attempt({}), 401, 'second_factor_required');
    expectProblem(await attempt({ code: '000000' }), 401, 'wrong_code');
    expect((await attempt({ code: totpCode(secret) })).status).toBe(200);
  });

  it('sign in no disabled user', async () => {
    const sub = randomUUID();
    await exchange(await idToken({ sub }));
    const { userId } = await t.manager.findOneByOrFail(ExternalIdentity, { subject: sub });
    await t.manager.update(User, { id: userId }, { disabledAt: new Date() });

    expectProblem(await exchange(await idToken({ sub })), 403, 'account_disabled');
    expect(await auditActionsOf(t, userId)).toContain('login.failed');
    const failed = await t.manager.findOneByOrFail(AuditEvent, { userId, action: 'login.failed' });
    expect(failed.details).toEqual({ error: 'account_disabled' });
  });
});

/** Last, because passport's strategies are shared by all apps of a process. */
describe('with other nodes', () => {
  const nodes: TestApp[] = [];
  beforeAll(async () => {
    nodes.push(
      await t.startNode(),
      await t.startNode({ REGISTRATION: 'closed', EMAIL_VERIFICATION: 'required' }),
    );
  });
  afterAll(async () => {
    for (const node of nodes) await node.stop();
  });

  it('simultaneous first exchanges create one user', async () => {
    const name = newName();
    const claims = {
      sub: name,
      preferred_username: name,
      email: `${name}@example.com`,
      email_verified: true,
    };
    const token = await idToken(claims);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => exchange(token, n % 2 ? nodes[0]!.http : t.http)),
    );

    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(answers.filter(({ body }) => body.created)).toHaveLength(1);
    expect(await t.manager.countBy(User, { email: claims.email })).toBe(1);
  });

  it('closed registration admits known identities alone', async () => {
    const { http } = nodes[1]!;
    const sub = randomUUID();

    expectProblem(await exchange(await idToken({ sub }), http), 403, 'registration_closed');
    expect((await exchange(await idToken({ sub }))).body.created).toBe(true);
    expect((await exchange(await idToken({ sub }), http)).status).toBe(200);
  });

  it('EMAIL_VERIFICATION=required does not apply to exchanges', async () => {
    const { http } = nodes[1]!;
    const sub = randomUUID();
    await exchange(await idToken({ sub }));
    const ada = await t.user().create();
    await ada.post('/auth/identities', { id_token: await idToken({ sub: `ada-${sub}` }) });

    const withoutAddress = await exchange(await idToken({ sub }), http);
    expect((await signedIn(withoutAddress).get('/auth/me')).body.email).toBeNull();
    const unverified = await exchange(await idToken({ sub: `ada-${sub}` }), http);
    expect((await signedIn(unverified).get('/auth/me')).body.email_verified).toBe(false);
    const { email, password } = ada;
    expectProblem(await http.post('/auth/login', { email, password }), 403, 'email_unverified');
  });
});

it('leave no gaps in the audit trail', async () => expect(await gapsInAudit(t)).toEqual([]));
