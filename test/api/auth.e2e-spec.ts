import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import argon2 from 'argon2';
import { createConnection } from 'node:net';
import { DataSource } from 'typeorm';
import { RefreshToken } from '../../src/auth/sessions/refresh-token.entity.js';
import { hashRefreshToken } from '../../src/auth/sessions/refresh-tokens.js';
import { SessionPurgeService } from '../../src/auth/tokens/session-purge.service.js';
import { Session } from '../../src/auth/sessions/session.entity.js';
import { User } from '../../src/auth/users/user.entity.js';
import { sessionIdOf } from '../support/app/access-token.js';
import { logIn, newAccount, refresh } from '../support/app/accounts.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Answer } from '../support/clients/http.js';
import { expectProblem } from '../support/clients/problems.js';
import type { TestUser, Tokens } from '../support/app/user.js';

let t: TestApp;
const logLines: string[] = [];

beforeAll(async () => {
  t = await startTestApp({ log: { write: (line: string) => void logLines.push(line) } });
});
afterAll(() => t.stop());

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000);
const rfc3339 = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

const makeLoginOld = (user: TestUser) =>
  t.manager.update(Session, { id: sessionIdOf(user.tokens) }, { createdAt: ago(15 * 60 + 1) });

/** What the audit trail says of a user since it was last asked. */
function auditOf(userId: number): Record<string, unknown>[] {
  const lines = logLines.splice(0).map((line) => JSON.parse(line) as Record<string, unknown>);
  return lines.filter((line) => line.context === 'Audit' && line.user_id === userId);
}

describe('register', () => {
  it('makes a user, without showing the password in any form', async () => {
    const { username, email, password } = newAccount();
    const answer = await t.http.post('/auth/register', { username, email, password });

    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(Number),
      username,
      email,
      has_config: false,
      created_at: rfc3339,
    });
    const user = await t.manager.findOneByOrFail(User, { id: answer.body.id });
    expect(user.passwordHash).toMatch(/^\$argon2id\$/);
  });

  it('keeps a username as it was typed, and an email lower-cased', async () => {
    const username = '  王小明 😀 '.trim();
    const answer = await t.http.post('/auth/register', {
      ...newAccount(),
      username,
      email: 'WANG@Example.COM',
    });

    expect(answer.body).toMatchObject({ username, email: 'wang@example.com' });
    expect((await logIn(t, { email: 'wAng@example.com', password: newAccount().password })).status).toBe(200);
  });

  it('answers 409 for a taken username, whatever its case or composition', async () => {
    await t.http.post('/auth/register', { ...newAccount(), username: 'Zoë Jansen' });
    const others = [
      'zoë jansen',
      'ZOE\u0308 JANSEN',
      'Ｚoë\u200b Jansen',
      'Zoë\u2800 Jan\u00adsen\ufe0f',
      'ZOË JANSEN',
    ];
    for (const username of ['Zoë Jansen', ...others]) {
      expectProblem(
        await t.http.post('/auth/register', { ...newAccount(), username }),
        409,
        'username_taken',
      );
    }
  });

  it.each([' %', '% ', '\t%\n', '\u00a0%\u3000', '\ufeff%', '  %  '])(
    'trims an email written as %j, at registration, login and change',
    async (written) => {
      const { email, ...rest } = newAccount();
      const spaced = (text: string) => written.replace('%', text);

      const { status, body } = await t.http.post('/auth/register', { ...rest, email: spaced(email) });
      const session = await logIn(t, { email: spaced(email), password: rest.password });
      const Authorization = `Bearer ${session.body.access_token}`;
      const changed = await t.http.post('/auth/me/email', { email: spaced(`x${email}`) }, { Authorization });

      expect([status, body.email]).toEqual([201, email]);
      expect(session.status).toBe(200);
      expect([changed.status, changed.body.email]).toEqual([200, `x${email}`]);
    },
  );

  it('answers 409 for a taken email, whatever its case', async () => {
    const { email, ...rest } = newAccount();
    await t.http.post('/auth/register', { email, ...rest });

    const again = { ...newAccount(), email: email.toUpperCase() };
    expectProblem(await t.http.post('/auth/register', again), 409, 'email_taken');
  });

  it.each<[string, string, string]>([
    ['an IDN, then Punycode', 'ada@bücher.example', 'Ada@XN--BCHER-KVA.example'],
    ['Punycode, then an IDN', 'bob@xn--bcher-kva.example', 'bob@BÜCHER.example'],
    ['NFC, then NFD', 'jos\u00e9@example.com', 'jose\u0301@example.com'],
    ['plain, then with a zero-width space', 'zoe@example.com', 'z\u200boe@exam\u200bple.com'],
    ['a soft hyphen, then plain', 'so\u00adphie@example.com', 'sophie@example.com'],
    ['plain, then full-width', 'kenji@example.com', 'ｋｅｎｊｉ＠ｅｘａｍｐｌｅ．ｃｏｍ'],
    ['a dotted capital I, then i', 'İnci@example.com', 'inci@example.com'],
    ['plain, then with a dot at the end', 'dot@example.com', 'dot@example.com.'],
    ['plain, then quoted', 'quote@example.com', '"quote"@example.com'],
    ['plain, then copied with directional controls', 'copy@example.com', '\u202acopy@example.com\u202c'],
    ['Cyrillic in lower and upper case', 'привет@example.com', 'ПРИВЕТ@example.com'],
  ])('takes one address in two spellings for one account: %s', async (_, typed, other) => {
    const nova = { ...newAccount(), email: typed };
    const shown = typed.toLowerCase();

    expect((await t.http.post('/auth/register', nova)).body).toMatchObject({ email: shown });
    expectProblem(await t.http.post('/auth/register', { ...newAccount(), email: other }), 409, 'email_taken');
    const { status, body } = await logIn(t, { ...nova, email: other });
    expect(status).toBe(200);
    const ada = await t.user().create();
    expectProblem(await ada.post('/auth/me/email', { email: other }), 409, 'email_taken');
    const changed = await t.http.post(
      '/auth/me/email',
      { email: other },
      { Authorization: `Bearer ${body.access_token}` },
    );
    expect(changed.status).toBe(200);
    expect((await logIn(t, nova)).status).toBe(200);
  });

  it('gives an address in many spellings to one of those who race for it', async () => {
    const spellings = [
      'race@bücher.example',
      'RACE@xn--bcher-kva.example',
      'ra\u200bce@bu\u0308cher.example',
    ];
    const racers = [...spellings, ...spellings].map((email) => ({ ...newAccount(), email }));
    const answers = await Promise.all(racers.map((racer) => t.http.post('/auth/register', racer)));

    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(5).fill(409)]);
  });

  it('gives a name to one of those who race for it', async () => {
    const { username } = newAccount();
    const racers = Array.from({ length: 10 }, () => ({ ...newAccount(), username }));
    const answers = await Promise.all(racers.map((racer) => t.http.post('/auth/register', racer)));

    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)]);
    const codes = answers.filter(({ status }) => status === 409).map(({ body }) => body.code);
    expect(new Set(codes)).toEqual(new Set(['username_taken']));
  });

  it('gives an email address to one of those who race for it', async () => {
    const { email } = newAccount();
    const racers = Array.from({ length: 10 }, () => ({ ...newAccount(), email }));
    const answers = await Promise.all(racers.map((racer) => t.http.post('/auth/register', racer)));

    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)]);
    const codes = answers.filter(({ status }) => status === 409).map(({ body }) => body.code);
    expect(new Set(codes)).toEqual(new Set(['email_taken']));
  });

  it('counts characters, not bytes or UTF-16 units', async () => {
    const at = (length: number) => ({
      ...newAccount(),
      username: '😀'.repeat(length - 1) + String(length % 10),
    });

    expect((await t.http.post('/auth/register', at(3))).status).toBe(201);
    expect((await t.http.post('/auth/register', at(50))).status).toBe(201);
    expectProblem(await t.http.post('/auth/register', at(2)), 422, 'validation_failed', ['username']);
    expectProblem(await t.http.post('/auth/register', at(51)), 422, 'validation_failed', ['username']);
    const password = (length: number) => ({ ...newAccount(), password: '🔑'.repeat(length) });
    expect((await t.http.post('/auth/register', password(8))).status).toBe(201);
    expect((await t.http.post('/auth/register', password(128))).status).toBe(201);
    expectProblem(await t.http.post('/auth/register', password(7)), 422, 'validation_failed', ['password']);
    expectProblem(await t.http.post('/auth/register', password(129)), 422, 'validation_failed', ['password']);
  });

  it.each([
    ['username', 'ab'],
    ['username', ' ada'],
    ['username', 'ada\u3000'],
    ['username', 'a\nda'],
    ['username', 'a\0da'],
    ['username', 'ad\ud800a'],
    ['username', '\u200b\u200b\u200b'],
    ['username', '\u2800\u2800\u2800'],
    ['username', '\u3164\uffa0\u115f'],
    ['username', '\u0301\u0302\u0303'],
    ['username', '\ufe0f\u{e0041}\u200d'],
    ['username', 'a\u2028da'],
    ['username', 'a\u007fda'],
    ['username', 'ada\u202egnp'],
    ['username', '\u2066ada\u2069'],
    ['username', '\ufdfa'.repeat(50)],
    ['username', { $ne: 1 }],
    ['username', ['ada']],
    ['username', null],
    ['username', 1234],
    ['email', 'ada'],
    ['email', 'ada@localhost'],
    ['email', 'ada@example.com\0'],
    ['email', 'Ada <ada@example.com>'],
    ['email', '\u200b@example.com'],
    ['email', 'ada@example.com/path'],
    ['email', 'ada@ex%61mple.com'],
    [
      'email',
      `${'a'.repeat(60)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(20)}.com`,
    ],
    [
      'email',
      `${'İ'.repeat(30)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(12)}.com`,
    ],
    ['email', { $ne: 1 }],
    ['email', null],
    ['password', 'short'],
    ['password', 'a\0bcdefgh'],
    ['password', 'abcdefgh\udc00'],
    ['password', 12345678],
    ['password', null],
    ['password', 'Password1'],
    ['is_admin', true],
  ])('answers 422 naming %s when it is %j', async (field, value) => {
    const answer = await t.http.post('/auth/register', { ...newAccount(), [field as string]: value });

    expectProblem(answer, 422, 'validation_failed', [field as string]);
  });

  it('refuses a password that is the username or the email address', async () => {
    const { username, email } = newAccount();
    for (const password of [username.toUpperCase(), email]) {
      const answer = await t.http.post('/auth/register', { username, email, password });
      expectProblem(answer, 422, 'validation_failed', ['password']);
    }
  });

  it('names every bad field at once', async () => {
    const answer = await t.http.post('/auth/register', { username: 'a', extra: 1 });

    expectProblem(answer, 422, 'validation_failed', ['email', 'extra', 'password', 'username']);
  });
});

describe('login', () => {
  it('answers a pair of tokens', async () => {
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

  it('answers a wrong email and a wrong password alike', async () => {
    const ada = await t.user().create();
    const wrongPassword = await logIn(t, { email: ada.email, password: 'not the password' });
    const wrongEmail = await logIn(t, { email: `nobody-${ada.email}`, password: ada.password });

    expectProblem(wrongPassword, 401, 'unauthenticated');
    expect({ ...wrongEmail.body, request_id: '' }).toEqual({ ...wrongPassword.body, request_id: '' });
    expect(wrongEmail.status).toBe(wrongPassword.status);
    expect(wrongEmail.headers.get('WWW-Authenticate')).toBe(wrongPassword.headers.get('WWW-Authenticate'));
  });

  it('accepts the password in another composition of the same characters', async () => {
    const nova = { ...newAccount(), password: 'caf\u00e9 \ufb01n au lait' };
    await t.http.post('/auth/register', nova);

    expect((await logIn(t, { ...nova, password: 'cafe\u0301 fin au lait' })).status).toBe(200);
  });

  it('never stores a refresh token, only its hash', async () => {
    const ada = await t.user().create();
    const { refresh_token } = ada.tokens;

    const rows = await t.manager.findBy(RefreshToken, { sessionId: sessionIdOf(ada.tokens) });
    expect(rows).toMatchObject([{ tokenHash: hashRefreshToken(refresh_token), usedAt: null }]);
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

describe('access tokens', () => {
  const challengeOf = (answer: Answer<unknown>) => answer.headers.get('WWW-Authenticate');

  it('are needed: without one, the challenge names no error', async () => {
    const answer = await t.http.get('/auth/me');

    expectProblem(answer, 401, 'unauthenticated');
    expect(challengeOf(answer)).toBe('Bearer realm="parley"');
  });

  it.each(['Basic YWRhOmFkYQ==', 'Bearer', 'Bearer ', 'token'])(
    'are not what %j holds',
    async (Authorization) => {
      const answer = await t.http.get('/auth/me', { Authorization });

      expectProblem(answer, 401, 'unauthenticated');
      expect(challengeOf(answer)).toBe('Bearer realm="parley"');
    },
  );

  it('are refused when they are not valid, with a challenge that says so', async () => {
    const answer = await t.http.get('/auth/me', { Authorization: 'Bearer a.b.c' });

    expectProblem(answer, 401, 'unauthenticated');
    expect(challengeOf(answer)).toContain('error="invalid_token"');
  });

  it('are taken in any case of "Bearer"', async () => {
    const ada = await t.user().create();
    const Authorization = `bearer ${ada.tokens.access_token}`;

    expect((await t.http.get('/auth/me', { Authorization })).status).toBe(200);
  });

  it('never count in a query, a body or a cookie', async () => {
    const { tokens } = await t.user().create();
    const { access_token } = tokens;
    for (const name of ['access_token', 'token', 'auth_token', 'jwt']) {
      expectProblem(await t.http.get(`/auth/me?${name}=${access_token}`), 401, 'unauthenticated');
      expectProblem(await t.http.post('/auth/logout', { [name]: access_token }), 401, 'unauthenticated');
      expectProblem(
        await t.http.get('/auth/me', { Cookie: `${name}=${access_token}` }),
        401,
        'unauthenticated',
      );
    }
  });

  it('are refused in a doubled Authorization header', async () => {
    const ada = await t.user().create();
    const header = `Authorization: Bearer ${ada.tokens.access_token}`;

    expect(await statusOfRaw([header])).toBe(200);
    expect(await statusOfRaw([header, header])).toBe(401);
    expect(await statusOfRaw([header, 'authorization: Bearer a.b.c'])).toBe(401);
    expect(await statusOfRaw(['Authorization: Bearer a.b.c', header])).toBe(401);
  });

  it('are not refresh tokens, nor the other way round', async () => {
    const { tokens } = await t.user().create();
    const Authorization = `Bearer ${tokens.refresh_token}`;

    expectProblem(await t.http.get('/auth/me', { Authorization }), 401, 'unauthenticated');
    expectProblem(await refresh(t, tokens.access_token), 401, 'unauthenticated');
  });

  it('are worth nothing for a session of somebody else', async () => {
    const [ada, bob] = [await t.user().create(), await t.user().create()];
    await t.manager.update(Session, { id: sessionIdOf(ada.tokens) }, { userId: bob.id });

    expectProblem(await ada.get('/auth/me'), 401, 'token_revoked');
  });

  /** The status of GET /auth/me with headers exactly as given. */
  function statusOfRaw(headers: string[]): Promise<number> {
    const { hostname, port } = new URL(t.url);
    return new Promise((resolve, reject) => {
      const socket = createConnection(Number(port), hostname);
      let text = '';
      socket.on('data', (bytes) => (text += bytes.toString()));
      socket.on('end', () => resolve(Number(text.split(' ')[1])));
      socket.on('error', reject);
      const lines = ['GET /auth/me HTTP/1.1', 'Host: parley', 'Connection: close', ...headers, '', ''];
      socket.write(lines.join('\r\n'));
    });
  }
});

describe('refresh', () => {
  it('gives new tokens for the same session', async () => {
    const ada = await t.user().create();
    const { status, body } = await refresh(t, ada.tokens.refresh_token);

    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.any(String),
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
      token_type: 'bearer',
      expires_in: 3600,
      refresh_expires_in: 604800,
    });
    expect(body.refresh_token).not.toBe(ada.tokens.refresh_token);
    expect(sessionIdOf(body)).toBe(sessionIdOf(ada.tokens));
    const Authorization = `Bearer ${body.access_token}`;
    expect((await t.http.get('/auth/me', { Authorization })).body.id).toBe(ada.id);
  });

  const spentAgo = (seconds: number, { refresh_token }: Tokens, also: Partial<RefreshToken> = {}) =>
    t.manager.update(
      RefreshToken,
      { tokenHash: hashRefreshToken(refresh_token) },
      { usedAt: ago(seconds), ...also },
    );

  it.each<[string, number, Partial<RefreshToken>]>([
    ['at once', 0, {}],
    ['after 11 seconds', 11, {}],
    ['after 59 minutes', 59 * 60, {}],
    ['once the spent token itself has expired', 59 * 60, { expiresAt: ago(60) }],
  ])('gives the unused successor again to a phone that lost the answer, %s', async (_, seconds, also) => {
    const ada = await t.user().create();
    const first = await refresh(t, ada.tokens.refresh_token);
    await spentAgo(seconds, ada.tokens, also);
    await t.app.get(SessionPurgeService).run();
    const again = await refresh(t, ada.tokens.refresh_token);

    expect(again.status).toBe(200);
    expect(again.body.refresh_token).toBe(first.body.refresh_token);
    expect(again.body.access_token).not.toBe(first.body.access_token);
    const Authorization = `Bearer ${again.body.access_token}`;
    expect((await t.http.get('/auth/me', { Authorization })).body.id).toBe(ada.id);
    expect((await refresh(t, again.body.refresh_token)).status).toBe(200);
    const late = await refresh(t, ada.tokens.refresh_token);
    expectProblem(late, 401, also.expiresAt ? 'token_expired' : 'token_reused');
  });

  it('gives it again for each link of a chain, on every node', async () => {
    const ada = await t.user().create();
    const node = await t.startNode();
    try {
      let { refresh_token } = ada.tokens;
      for (let link = 0; link < 3; link++) {
        const { body: lost } = await refresh(t, refresh_token);
        await spentAgo(30 * 60, { ...ada.tokens, refresh_token });
        const again = await node.http.post<Tokens>('/auth/refresh', { refresh_token });
        expect(again.body.refresh_token).toBe(lost.refresh_token);
        ({ refresh_token } = again.body);
      }
    } finally {
      await node.stop();
      await t.restart(); // Passport's strategy is the process's: the node took it along
    }
  });

  it.each<[string, (ada: TestUser, other: TestUser) => Promise<Answer>]>([
    ['a logout', (ada) => ada.post('/auth/logout')],
    ['a revocation', (ada, other) => other.post(`/auth/sessions/${sessionIdOf(ada.tokens)}/revoke`)],
    [
      'a changed password',
      (_, other) => other.post('/auth/me/password', { password: 'another long phrase' }),
    ],
  ])('gives nothing again after %s', async (_, end) => {
    const ada = await t.user().create();
    const other = await ada.signInAgain();
    await refresh(t, ada.tokens.refresh_token);
    expect((await end(ada, other)).status).toBe(204);

    expectProblem(await refresh(t, ada.tokens.refresh_token), 401, 'unauthenticated');
  });

  it('answers 50 at once with one lineage', async () => {
    const ada = await t.user().create();
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(t, ada.tokens.refresh_token)));

    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1);
    const rows = await t.manager.findBy(RefreshToken, { sessionId: sessionIdOf(ada.tokens) });
    expect(rows).toHaveLength(2);
    expect((await refresh(t, answers[0]!.body.refresh_token)).status).toBe(200);
  });

  it('ends the session when a token is used again after its successor was used', async () => {
    const ada = await t.user().create();
    const { body: second } = await refresh(t, ada.tokens.refresh_token);
    const { body: third } = await refresh(t, second.refresh_token);
    auditOf(ada.id);

    let reuse!: Answer<unknown>;
    const events = await t.eventsDuring(
      ada.id,
      async () => (reuse = await refresh(t, ada.tokens.refresh_token)),
    );

    expectProblem(reuse, 401, 'token_reused');
    expect(reuse.headers.get('WWW-Authenticate')).toContain('error="invalid_token"');
    const session_id = sessionIdOf(ada.tokens);
    expect(events).toMatchObject([{ type: 'session.revoked', body: { session_id } }]);
    expect(auditOf(ada.id)).toMatchObject([
      { event: 'refresh.reused', session_id, address: '127.0.0.1' },
      { event: 'session.revoked', session_id },
    ]);
    expectProblem(await ada.get('/auth/me'), 401, 'token_revoked');
    expectProblem(await refresh(t, third.refresh_token), 401, 'unauthenticated');
    expectProblem(await refresh(t, ada.tokens.refresh_token), 401, 'unauthenticated');
  });

  it('ends the session when a token is used again after an hour, and no other session', async () => {
    const ada = await t.user().create();
    const other = await ada.signInAgain();
    const { body: successor } = await refresh(t, ada.tokens.refresh_token);
    await spentAgo(60 * 60 + 1, ada.tokens);

    expectProblem(await refresh(t, ada.tokens.refresh_token), 401, 'token_reused');
    expectProblem(await refresh(t, successor.refresh_token), 401, 'unauthenticated');
    expect((await other.get('/auth/me')).status).toBe(200);
    expect((await refresh(t, other.tokens.refresh_token)).status).toBe(200);
  });

  it('sees the reuse of a token many generations old', async () => {
    const ada = await t.user().create();
    let { refresh_token } = ada.tokens;
    for (let i = 0; i < 8; i++) ({ refresh_token } = (await refresh(t, refresh_token)).body);

    expectProblem(await refresh(t, ada.tokens.refresh_token), 401, 'token_reused');
    expectProblem(await refresh(t, refresh_token), 401, 'unauthenticated');
  });

  it('keeps the successor only sealed, and not once it is used', async () => {
    const ada = await t.user().create();
    const where = { tokenHash: hashRefreshToken(ada.tokens.refresh_token) };
    const { body: second } = await refresh(t, ada.tokens.refresh_token);

    const sealed = (await t.manager.findOneByOrFail(RefreshToken, where)).sealedSuccessor!;
    expect(sealed).not.toContain(second.refresh_token);
    await refresh(t, second.refresh_token);
    expect((await t.manager.findOneByOrFail(RefreshToken, where)).sealedSuccessor).toBeNull();
  });

  it('is refused once the token is 7 days old', async () => {
    const ada = await t.user().create();
    const where = { tokenHash: hashRefreshToken(ada.tokens.refresh_token) };
    const { expiresAt } = await t.manager.findOneByOrFail(RefreshToken, where);
    expect(Math.abs(expiresAt.getTime() - Date.now() - 7 * 86_400_000)).toBeLessThan(60_000);

    await t.manager.update(RefreshToken, where, { expiresAt: ago(1) });
    expectProblem(await refresh(t, ada.tokens.refresh_token), 401, 'token_expired');
  });

  it('keeps a session that is used alive, 7 days from its newest refresh', async () => {
    const ada = await t.user().create();
    const id = sessionIdOf(ada.tokens);
    await t.manager.update(Session, { id }, { expiresAt: ago(-60), lastUsedAt: ago(3600) });
    await refresh(t, ada.tokens.refresh_token);

    const session = await t.manager.findOneByOrFail(Session, { id });
    expect(Math.abs(session.expiresAt.getTime() - Date.now() - 7 * 86_400_000)).toBeLessThan(60_000);
    expect(Date.now() - session.lastUsedAt.getTime()).toBeLessThan(60_000);
  });

  it('has no answer for a token that nobody was given', async () => {
    expectProblem(await refresh(t, 'A'.repeat(43)), 401, 'unauthenticated');
    expectProblem(await t.http.post('/auth/refresh', {}), 422, 'validation_failed', ['refresh_token']);
    expectProblem(await refresh(t, 'a\0b'), 422, 'validation_failed', ['refresh_token']);
  });
});

describe('me', () => {
  it('is the signed-in user', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const { status, body } = await ada.get('/auth/me');

    expect(status).toBe(200);
    expect(body).toEqual({
      id: ada.id,
      username: ada.username,
      email: ada.email,
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

  it("does not take another user's name or email", async () => {
    const [ada, bob] = [await t.user().create(), await t.user().create()];

    const username = bob.username.toUpperCase();
    expectProblem(await ada.post('/auth/me/username', { username }), 409, 'username_taken');
    expectProblem(await ada.post('/auth/me/email', { email: bob.email }), 409, 'email_taken');
    expect((await ada.get('/auth/me')).body).toMatchObject({ username: ada.username, email: ada.email });
  });

  it('gives a name to one of those who race to change to it', async () => {
    const users = await Promise.all(Array.from({ length: 5 }, () => t.user().create()));
    const { username } = newAccount();
    const answers = await Promise.all(users.map((user) => user.post('/auth/me/username', { username })));

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409]);
  });

  it('changes its email, lower-cased, and logs in with it from then on', async () => {
    const ada = await t.user().create();
    const { email } = newAccount();
    const { status, body } = await ada.post('/auth/me/email', { email: email.toUpperCase() });

    expect(status).toBe(200);
    expect(body).toMatchObject({ id: ada.id, email });
    expect((await logIn(t, { email, password: ada.password })).status).toBe(200);
    expect((await logIn(t, ada)).status).toBe(401);
  });

  it.each(['/auth/me/email', '/auth/me/password'])(
    'needs the current password for %s once the login is 15 minutes old',
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

  it('does not become a young login by refreshing', async () => {
    const ada = await t.user().create();
    await makeLoginOld(ada);
    ada.tokens = (await refresh(t, ada.tokens.refresh_token)).body;

    const answer = await ada.post('/auth/me/email', { email: newAccount().email });
    expectProblem(answer, 403, 'reauthentication_required');
  });

  it('refuses a wrong current password of a young login too', async () => {
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
    'does not change its password to %j',
    async (password) => {
      const ada = await t.user().create();

      expectProblem(await ada.post('/auth/me/password', { password }), 422, 'validation_failed', [
        'password',
      ]);
      expect((await logIn(t, ada)).status).toBe(200);
    },
  );

  it('does not change its password to its name or email', async () => {
    const ada = await t.user().create();
    for (const password of [ada.username.toUpperCase(), ada.email]) {
      expectProblem(await ada.post('/auth/me/password', { password }), 422, 'validation_failed', [
        'password',
      ]);
    }
  });

  it('lets one of two changes of the password at once win, and leaves one session', async () => {
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

  it('lets one of two changes at once win within a session too', async () => {
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

  it('lets no login with the old password survive a change that comes at the same time', async () => {
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

describe('logout', () => {
  it('ends the session at once, its refresh token too, and no other', async () => {
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

  it('leaves nothing for a refresh at the same time to live on', async () => {
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

  it('are listed with where they are from, the last used first', async () => {
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

  it('are not listed once they have expired', async () => {
    const ada = await t.user().create();
    const other = await ada.signInAgain();
    await t.manager.update(Session, { id: sessionIdOf(other.tokens) }, { expiresAt: ago(1) });

    expect(await list(ada)).toMatchObject([{ id: sessionIdOf(ada.tokens) }]);
  });

  it('note when they are used, to the minute', async () => {
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

  it('are revoked one by one, which is told to their sockets', async () => {
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

  it('are revoked all but the one that asks', async () => {
    const ada = await t.user().create();
    const [phone, bob] = [await ada.signInAgain(), await t.user().create()];

    expect(await ada.post('/auth/sessions/revoke-others')).toMatchObject({ status: 204, body: '' });
    expect((await ada.get('/auth/me')).status).toBe(200);
    expectProblem(await phone.get('/auth/me'), 401, 'token_revoked');
    expect((await bob.get('/auth/me')).status).toBe(200);
    expect((await ada.post('/auth/sessions/revoke-others')).status).toBe(204);
  });

  it('of another user answer as what does not exist, and stay', async () => {
    const [ada, bob] = [await t.user().create(), await t.user().create()];
    const others = await ada.post(`/auth/sessions/${sessionIdOf(bob.tokens)}/revoke`);
    const missing = await ada.post('/auth/sessions/999999999/revoke');

    expectProblem(others, 404, 'not_found');
    const same = { request_id: '', instance: '' };
    expect({ ...others.body, ...same }).toEqual({ ...missing.body, ...same });
    expect((await bob.get('/auth/me')).status).toBe(200);
    expect(await list(ada)).toHaveLength(1);
  });

  it.each(['0', '-1', '1.5', '9223372036854775808', 'x', '1e3', '%00'])('have no id %s', async (id) => {
    const ada = await t.user().create();

    expectProblem(await ada.post(`/auth/sessions/${id}/revoke`), 404, 'not_found');
  });

  it('are swept out a week after they have expired, with their tokens', async () => {
    const ada = await t.user().create();
    const [old, older] = [await ada.signInAgain(), await ada.signInAgain()];
    await t.manager.update(Session, { id: sessionIdOf(old.tokens) }, { expiresAt: ago(6 * 86_400) });
    await t.manager.update(Session, { id: sessionIdOf(older.tokens) }, { expiresAt: ago(8 * 86_400) });
    await t.app.get(SessionPurgeService).run();

    const left = await t.manager.findBy(Session, { userId: ada.id });
    expect(left.map(({ id }) => id).sort()).toEqual(
      [ada, old].map(({ tokens }) => sessionIdOf(tokens)).sort(),
    );
    expect(await t.manager.countBy(RefreshToken, { sessionId: sessionIdOf(older.tokens) })).toBe(0);
  });
});

describe('an account that is deleted', () => {
  it('needs its password for that, however young the login', async () => {
    const ada = await t.user().create();

    expectProblem(await ada.post('/auth/me/delete', {}), 422, 'validation_failed', ['current_password']);
    const wrong = await ada.post('/auth/me/delete', { current_password: 'not the password' });
    expectProblem(wrong, 403, 'wrong_password');
    expect((await ada.get('/auth/me')).status).toBe(200);
  });

  it('is gone with all that it owns, and nothing else is', async () => {
    const [ada, bob] = [await t.user().withConfig(t.provider).create(), await t.user().create()];
    const phone = await ada.signInAgain();
    await ada.createConversation({ config_id: ada.configId });
    const kept = await bob.createConversation();

    let answer!: Answer;
    const remove = async () =>
      (answer = await ada.post('/auth/me/delete', { current_password: ada.password }));
    const events = await t.eventsDuring(ada.id, remove);

    expect(answer).toMatchObject({ status: 204, body: '' });
    expect(events.map(({ type }) => type)).toEqual(['session.revoked', 'session.revoked', 'account.deleted']);
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

  it('leaves its name and email for others', async () => {
    const ada = await t.user().create();
    await ada.post('/auth/me/delete', { current_password: ada.password });

    const { username, email, password } = ada;
    expect((await t.http.post('/auth/register', { username, email, password })).status).toBe(201);
  });
});

describe('every route', () => {
  it.each([
    ['GET', '/auth/me'],
    ['GET', '/auth/sessions'],
    ['POST', '/auth/logout'],
    ['POST', '/auth/me/username'],
    ['POST', '/auth/me/email'],
    ['POST', '/auth/me/password'],
    ['POST', '/auth/me/delete'],
    ['POST', '/auth/sessions/1/revoke'],
    ['POST', '/auth/sessions/revoke-others'],
  ])('%s %s needs a token, whatever its body', async (method, path) => {
    expectProblem(
      await t.http.request(method, path, method === 'GET' ? undefined : {}),
      401,
      'unauthenticated',
    );
  });
});

describe('the audit trail', () => {
  it('tells who did what, from where', async () => {
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

  it('tells of keys, revoked sessions, what was taken along and the end, each with its session', async () => {
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
      { event: 'config.key_changed', session_id, address },
      { event: 'config.deleted', session_id, address },
      { event: 'session.revoked', session_id: other, address },
      { event: 'account.exported', session_id, address },
      { event: 'account.deleted', session_id, address },
    ]);
  });

  it('and the log around it hold no password, no token and no email address', async () => {
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

describe('what survives a restart', () => {
  it('is the sessions, and that a reused token has ended one', async () => {
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

describe('failed logins', () => {
  let limited: TestApp;

  beforeAll(async () => {
    const env = { RATE_LIMIT_SCALE: '1', TRUST_PROXY: 'loopback' };
    limited = await startTestApp({ env, log: { write: (line) => logLines.push(line) } });
  });
  afterAll(() => limited.stop());

  let addresses = 0;
  /** An address that nobody has used yet. */
  const anywhere = () => `198.51.${100 + Math.floor(++addresses / 250)}.${addresses % 250}`;
  const from = (address: string) => ({ 'X-Forwarded-For': address });

  async function signUp(address: string) {
    const user = newAccount();
    await limited.http.post('/auth/register', user, from(address));
    return user;
  }

  const tryFrom = (address: string, { email }: { email: string }, password: string) =>
    limited.http.post('/auth/login', { email, password }, from(address));

  /** Guesses, each from somewhere else. */
  async function spray(user: { email: string }, times: number): Promise<number[]> {
    const answers = await Promise.all(
      Array.from({ length: times }, () => tryFrom(anywhere(), user, 'not the password')),
    );
    return answers.map(({ status }) => status).sort();
  }

  it('are at most 10 on one account, from however many addresses and however many at once', async () => {
    const ada = await signUp(anywhere());
    logLines.length = 0;

    expect(await spray(ada, 30)).toEqual([...Array(10).fill(401), ...Array(20).fill(429)]);
    const audit = logLines.map((line) => JSON.parse(line)).filter(({ context }) => context === 'Audit');
    expect(audit.filter(({ event }) => event === 'login.failed')).toHaveLength(10);
    expect(audit.filter(({ event, address }) => event === 'guessing.limited' && address)).toHaveLength(20);
    const refused = await tryFrom(anywhere(), ada, ada.password);
    expectProblem(refused, 429, 'rate_limited');
    const seconds = Number(refused.headers.get('Retry-After'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(15 * 60);
  });

  it('count for an account that does not exist too', async () => {
    expect(await spray(newAccount(), 12)).toEqual([...Array(10).fill(401), 429, 429]);
  });

  it('count together for all spellings of an address', async () => {
    const plain = { ...newAccount(), email: 'count@bücher.example' };
    await limited.http.post('/auth/register', plain, from(anywhere()));

    expect(await spray({ email: 'count@xn--bcher-kva.example' }, 6)).toEqual(Array(6).fill(401));
    expect(await spray({ email: 'co\u200bunt@BÜCHER.example' }, 6)).toEqual([
      ...Array(4).fill(401),
      429,
      429,
    ]);
    expectProblem(await tryFrom(anywhere(), plain, plain.password), 429, 'rate_limited');
  });

  it('of others do not lock the owner out, who comes from where they have logged in before', async () => {
    const [ada, home] = [await signUp(anywhere()), anywhere()];
    const { body } = await tryFrom(home, ada, ada.password);
    const Authorization = `Bearer ${body.access_token}`;
    await limited.http.post('/auth/logout', undefined, { ...from(home), Authorization });
    await spray(ada, 12);

    expect((await tryFrom(home, ada, ada.password)).status).toBe(200);
  });

  it('of others do not lock the owner out of their IPv6 /64 either', async () => {
    const ada = await signUp(anywhere());
    const subnet = `2001:db8:0:${(++addresses).toString(16)}`;
    expect((await tryFrom(`${subnet}::1`, ada, ada.password)).status).toBe(200);
    await spray(ada, 12);

    expect((await tryFrom(`${subnet}:abcd::2`, ada, ada.password)).status).toBe(200);
    expect((await tryFrom('2001:db8:1::1', ada, ada.password)).status).toBe(429);
  });

  it('from a known address have a budget of their own, which is not endless either', async () => {
    const [ada, home] = [await signUp(anywhere()), anywhere()];
    await tryFrom(home, ada, ada.password);
    const answers = [];
    for (let i = 0; i < 12; i++) answers.push(await tryFrom(home, ada, 'not the password'));

    expect(answers.map(({ status }) => status)).toEqual([...Array(10).fill(401), 429, 429]);
    expect((await tryFrom(anywhere(), ada, ada.password)).status).toBe(200);
  });

  it('are all that counts: logging in does not spend the budget', async () => {
    const ada = await signUp(anywhere());
    for (let i = 0; i < 12; i++) expect((await tryFrom(anywhere(), ada, ada.password)).status).toBe(200);
  });

  it('of a stolen session are bounded, and cost the owner nothing', async () => {
    const [ada, home] = [await signUp(anywhere()), anywhere()];
    const { body } = await tryFrom(home, ada, ada.password);
    const Authorization = `Bearer ${body.access_token}`;
    const guess = (current_password: string) =>
      limited.http.post('/auth/me/delete', { current_password }, { ...from(anywhere()), Authorization });
    const answers = [];
    for (let i = 0; i < 12; i++) answers.push(await guess('not the password'));

    expect(answers.map(({ status }) => status)).toEqual([...Array(10).fill(403), 429, 429]);
    expectProblem(await guess(ada.password), 429, 'rate_limited');
    expect((await tryFrom(anywhere(), ada, ada.password)).status).toBe(200);
  });

  it('and the calls that take credentials are bounded by address', async () => {
    const address = anywhere();
    const answers = [];
    for (let i = 0; i < 21; i++) {
      const body = { refresh_token: 'A'.repeat(43) };
      answers.push(await limited.http.post('/auth/refresh', body, from(address)));
    }

    expect(answers.slice(0, 20).map(({ status }) => status)).toEqual(Array(20).fill(401));
    expectProblem(answers[20]!, 429, 'rate_limited');
    expectProblem(await tryFrom(address, newAccount(), 'any password'), 429, 'rate_limited');
  });
});

// Last, as Passport's strategy is the process's, and so the newest app's from then on.
describe('a login to an account of earlier times', () => {
  it('hashes anew where the stored hash is weaker than what is used now', async () => {
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
