/** Registering an account. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { User } from '../../src/auth/users/user.entity.js';
import { logIn, newAccount } from '../support/app/accounts.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { expectProblem } from '../support/clients/problems.js';

let t: TestApp;

beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t.stop());

const rfc3339 = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe('register', () => {
  it('creates a user and never returns the password', async () => {
    const { username, email, password } = newAccount();
    const answer = await t.http.post('/auth/register', { username, email, password });

    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(Number),
      username,
      email,
      email_verified: false,
      has_password: true,
      second_factor: false,
      role: 'user',
      has_config: false,
      created_at: rfc3339,
    });
    const user = await t.manager.findOneByOrFail(User, { id: answer.body.id });
    expect(user.passwordHash).toMatch(/^\$argon2id\$/);
  });

  it('stores the username as typed and the email in lower case', async () => {
    const username = '  王小明 😀 '.trim();
    const answer = await t.http.post('/auth/register', {
      ...newAccount(),
      username,
      email: 'WANG@Example.COM',
    });

    expect(answer.body).toMatchObject({ username, email: 'wang@example.com' });
    expect((await logIn(t, { email: 'wAng@example.com', password: newAccount().password })).status).toBe(200);
  });

  it('answers 409 for a taken username in any case or Unicode composition', async () => {
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

  it('answers 409 for a taken email in any case', async () => {
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
  ])('treats two spellings of an email address as one account: %s', async (_, typed, other) => {
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

  it('lets only one of many concurrent registrations win an address in many spellings', async () => {
    const spellings = [
      'race@bücher.example',
      'RACE@xn--bcher-kva.example',
      'ra\u200bce@bu\u0308cher.example',
    ];
    const racers = [...spellings, ...spellings].map((email) => ({ ...newAccount(), email }));
    const answers = await Promise.all(racers.map((racer) => t.http.post('/auth/register', racer)));

    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(5).fill(409)]);
  });

  it('lets only one of many concurrent registrations win a username', async () => {
    const { username } = newAccount();
    const racers = Array.from({ length: 10 }, () => ({ ...newAccount(), username }));
    const answers = await Promise.all(racers.map((racer) => t.http.post('/auth/register', racer)));

    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)]);
    const codes = answers.filter(({ status }) => status === 409).map(({ body }) => body.code);
    expect(new Set(codes)).toEqual(new Set(['username_taken']));
  });

  it('lets only one of many concurrent registrations win an email address', async () => {
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

  it('takes an email address of up to 255 characters', async () => {
    const domain = `${'b'.repeat(60)}.`.repeat(3);
    const longest = { ...newAccount(), email: `${'a'.repeat(64)}@${domain}eee.com` };
    const longer = { ...newAccount(), email: `${'a'.repeat(64)}@${domain}eeee.com` };

    expect((await t.http.post('/auth/register', longest)).body).toMatchObject({ email: longest.email });
    const { email, password } = longest;
    expect((await t.http.post('/auth/login', { email, password })).status).toBe(200);
    expectProblem(await t.http.post('/auth/register', longer), 422, 'validation_failed', ['email']);
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

  it('reports all invalid fields at once', async () => {
    const answer = await t.http.post('/auth/register', { username: 'a', extra: 1 });

    expectProblem(answer, 422, 'validation_failed', ['email', 'extra', 'password', 'username']);
  });
});
