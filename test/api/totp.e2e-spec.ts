import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Session } from '../../src/auth/sessions/session.entity.js';
import { SessionsService } from '../../src/auth/sessions/sessions.service.js';
import { RecoveryCode } from '../../src/auth/totp/recovery-code.entity.js';
import { TotpSecret } from '../../src/auth/totp/totp-secret.entity.js';
import { User } from '../../src/auth/users/user.entity.js';
import { RateLimits } from '../../src/throttling/rate-limits.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { gapsInAudit } from '../support/app/audit.js';
import { totpCode, turnOnTotp, withinStep } from '../support/app/totp.js';
import type { TestUser } from '../support/app/user.js';
import { HttpClient } from '../support/clients/http.js';
import { expectProblem, invalidFields } from '../support/clients/problems.js';
import { MailServer } from '../support/infrastructure/mail-server.js';

const logLines: string[] = [];
let smtp: MailServer;
let t: TestApp;
let ada: TestUser;
beforeAll(async () => {
  smtp = await MailServer.start();
  const env = {
    SMTP_URL: smtp.url,
    PUBLIC_URL: 'https://chat.example.com/api',
  };
  t = await startTestApp({ env, log: { write: (line) => logLines.push(line) } });
});
afterAll(async () => {
  await t?.stop();
  await smtp?.close();
});
beforeEach(async () => {
  ada = await t.user().create();
  logLines.length = 0;
});

const start = (user = ada, body: object = { current_password: user.password }) =>
  user.post<{ secret: string; otpauth_url: string }>('/auth/me/totp', body);
const confirm = (code: string, user = ada) =>
  user.post<{ recovery_codes: string[] }>('/auth/me/totp/confirm', { code });
const remove = (code: string, current_password = ada.password) =>
  ada.post('/auth/me/totp/remove', { current_password, code });
const logIn = (code?: string, { email, password } = ada, client = t.http) =>
  client.post('/auth/login', { email, password, code });
const statusesOf = async (answers: Promise<{ status: number }>[]) =>
  (await Promise.all(answers)).map(({ status }) => status).sort();
const auditOf = (user: TestUser) =>
  logLines
    .map((line) => JSON.parse(line))
    .filter(({ context, user_id }) => context === 'Audit' && user_id === user.id)
    .map(({ event }) => event);

describe('setting up a second factor', () => {
  it('returns a secret, which nothing requires before it is confirmed', async () => {
    const { status, body } = await start();

    expect(status).toBe(201);
    expect(body).toEqual({
      secret: expect.stringMatching(/^[A-Z2-7]{32}$/),
      otpauth_url: `otpauth://totp/chat.example.com:${encodeURIComponent(ada.email)}?secret=${body.secret}&issuer=chat.example.com`,
    });
    expect((await ada.get('/auth/me')).body.second_factor).toBe(false);
    expect((await logIn()).status).toBe(200);
    const { encryptedSecret } = await t.manager.findOneByOrFail(TotpSecret, { userId: ada.id });
    expect(encryptedSecret).not.toContain(body.secret);
  });

  it('asks for the password', async () => {
    expect(invalidFields(await start(ada, {}))).toEqual(['current_password']);
    expectProblem(await start(ada, { current_password: 'not it' }), 403, 'wrong_password');
    expect(await t.manager.countBy(TotpSecret, { userId: ada.id })).toBe(0);
  });

  it('asks a user without a password for a recent login', async () => {
    await t.manager.update(User, { id: ada.id }, { passwordHash: null });
    expect((await start(ada, {})).status).toBe(201);

    await t.manager.update(Session, { userId: ada.id }, { createdAt: new Date(Date.now() - 15 * 60_000) });
    expectProblem(await start(ada, {}), 403, 'reauthentication_required');
  });

  it('replaces a secret that was not confirmed', async () => {
    const [first, second] = [(await start()).body.secret, (await start()).body.secret];

    expectProblem(await confirm(totpCode(first)), 403, 'wrong_code');
    expect((await confirm(totpCode(second))).status).toBe(200);
  });

  it('needs a secret before a code', async () => {
    expectProblem(await confirm('123456'), 409, 'no_totp_pending');
    expect(invalidFields(await confirm(''))).toEqual(['code']);
  });
});

describe('a confirmed second factor', () => {
  it('gives ten recovery codes and ends the other sessions', async () => {
    const device = await ada.signInAgain();
    const socket = device.socket();
    await socket.connected;
    const { secret } = (await start()).body;
    const { status, body } = await confirm(totpCode(secret));

    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['recovery_codes']);
    expect(new Set(body.recovery_codes).size).toBe(10);
    for (const code of body.recovery_codes) expect(code).toMatch(/^([a-z2-7]{4}-){5}[a-z2-7]{4}$/);
    expect((await ada.get('/auth/me')).body.second_factor).toBe(true);
    expectProblem(await device.get('/auth/me'), 401, 'token_revoked');
    await socket.disconnected;
    expect(auditOf(ada)).toEqual(expect.arrayContaining(['totp.enabled', 'session.revoked']));
  });

  it('stores only hashes of the recovery codes', async () => {
    const { recoveryCodes } = await turnOnTotp(ada);

    const stored = JSON.stringify(await t.manager.findBy(RecoveryCode, { userId: ada.id }));
    for (const code of recoveryCodes) {
      expect(stored).not.toContain(code);
      expect(stored).not.toContain(code.replaceAll('-', ''));
    }
  });

  it('cannot be set up or confirmed again', async () => {
    const { secret } = await turnOnTotp(ada);

    expectProblem(await start(), 409, 'totp_active');
    expectProblem(await confirm(totpCode(secret)), 409, 'no_totp_pending');
    expect((await logIn(totpCode(secret))).status).toBe(200);
  });

  it('is confirmed once, however many requests come at a time', async () => {
    const { secret } = (await start()).body;
    const code = totpCode(secret);

    const answers = await Promise.all(Array.from({ length: 6 }, () => confirm(code)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409]);
    expect(await t.manager.countBy(RecoveryCode, { userId: ada.id })).toBe(10);
    const { body } = answers.find(({ status }) => status === 200)!;
    expect((await logIn(body.recovery_codes[0])).status).toBe(200);
  });

  it('admits no login that began before it', async () => {
    const before = await t.manager.findOneByOrFail(User, { id: ada.id });
    await turnOnTotp(ada);

    const client = { address: '127.0.0.1', userAgent: '', language: 'en' as const };
    expect(await t.app.get(SessionsService).create(before, before.passwordHash, client)).toBeNull();
  });
});

describe('a login with a second factor', () => {
  it('asks for a code after the right password only', async () => {
    const { secret } = await turnOnTotp(ada);
    const eve = { email: ada.email, password: 'not the password' } as TestUser;

    logLines.length = 0;
    expectProblem(await logIn(), 401, 'second_factor_required');
    expect(auditOf(ada)).toEqual(['totp.required']);
    expectProblem(await logIn(undefined, eve), 401, 'unauthenticated');
    expectProblem(await logIn('000000', eve), 401, 'unauthenticated');
    const code = totpCode(secret);
    expectProblem(await logIn(code, eve), 401, 'unauthenticated');
    expect((await logIn(code)).status).toBe(200);
  });

  it('refuses a wrong code, and records it', async () => {
    await turnOnTotp(ada);
    logLines.length = 0;

    for (const code of ['000000', '12345', 'x', 'aaaa-aaaa-aaaa-aaaa-aaaa-aaaa', "' OR 1=1 --"])
      expectProblem(await logIn(code), 401, 'wrong_code');
    expect((await logIn('000000')).headers.get('WWW-Authenticate')).toBe('Bearer realm="parley"');
    expect(auditOf(ada).slice(0, 2)).toEqual(['totp.wrong_code', 'login.failed']);
    expect(invalidFields(await logIn(''))).toEqual(['code']);
  });

  it('ignores a code of a user without a second factor', async () => {
    expect((await logIn('123456')).status).toBe(200);
  });

  it('accepts each code once', async () => {
    const { secret } = await turnOnTotp(ada);
    const codes = [totpCode(secret, 1), totpCode(secret)];

    for (const code of codes) expect((await logIn(code)).status).toBe(200);
    for (const code of codes) expectProblem(await logIn(code), 401, 'wrong_code');
  });

  it('does not accept the code that confirmed it', async () => {
    const { secret } = (await start()).body;
    const code = totpCode(secret);
    await confirm(code);

    expectProblem(await logIn(code), 401, 'wrong_code');
  });

  it.each([
    [-2, 401],
    [-1, 200],
    [0, 200],
    [1, 200],
    [2, 401],
  ])('answers a code %i steps from now with %i', async (offset, status) => {
    const { secret } = await turnOnTotp(ada);
    await t.manager.update(TotpSecret, { userId: ada.id }, { usedSteps: '' });
    await withinStep();

    expect((await logIn(totpCode(secret, offset))).status).toBe(status);
  });

  it('accepts spaces, dashes and full-width digits', async () => {
    const { secret } = await turnOnTotp(ada);
    const spaced = totpCode(secret).replace(/(...)/, ' $1 - ');
    const wide = totpCode(secret, 1).replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)));

    expect(await statusesOf([logIn(spaced), logIn(wide)])).toEqual([200, 200]);
  });

  it('refuses the codes of another user', async () => {
    const eve = await t.user().create();
    await turnOnTotp(ada);
    const { secret, recoveryCodes } = await turnOnTotp(eve);

    expectProblem(await logIn(totpCode(secret)), 401, 'wrong_code');
    expectProblem(await logIn(recoveryCodes[0]), 401, 'wrong_code');
    expect((await logIn(recoveryCodes[0], eve)).status).toBe(200);
  });

  it('accepts each recovery code once, in any case, with and without dashes', async () => {
    const [first, second, third] = (await turnOnTotp(ada)).recoveryCodes as [string, string, string];
    logLines.length = 0;

    const spellings = [first, second.toUpperCase(), ` ${third.replaceAll('-', '')} `];
    for (const spelling of spellings) {
      expect((await logIn(spelling)).status).toBe(200);
      expectProblem(await logIn(spelling), 401, 'wrong_code');
    }
    expect(auditOf(ada)).toContain('totp.recovery_code_used');
    expect(await t.manager.countBy(RecoveryCode, { userId: ada.id })).toBe(7);
  });

  it('fails if the secret cannot be decrypted, except by a recovery code', async () => {
    const { secret, recoveryCodes } = await turnOnTotp(ada);
    await t.manager.update(TotpSecret, { userId: ada.id }, { encryptedSecret: 'gAAAAA' });

    expectProblem(await logIn(), 401, 'second_factor_required');
    expectProblem(await logIn(totpCode(secret)), 401, 'wrong_code');
    expect(logLines.join()).toContain('TOTP secret cannot be decrypted');
    expect((await logIn(recoveryCodes[0])).status).toBe(200);
    await t.manager.delete(TotpSecret, { userId: ada.id });
    expectProblem(await logIn(totpCode(secret)), 401, 'wrong_code');
  });

  it('is still needed after a reset of the password', async () => {
    const { secret } = await turnOnTotp(ada);
    // Mails may overtake each other.
    await smtp.mailTo(ada.email);
    await t.http.post('/auth/password/forgot', { email: ada.email });
    const link = (await smtp.mailTo(ada.email, 1)).email.text!;
    const token = /#token=([\w-]+)/.exec(link)![1];
    const password = 'an even longer pass phrase';
    expect((await t.http.post('/auth/password/reset', { token, password })).status).toBe(204);

    const renewed = { email: ada.email, password } as TestUser;
    expectProblem(await logIn(undefined, renewed), 401, 'second_factor_required');
    expect((await logIn(totpCode(secret), renewed)).status).toBe(200);
  });
});

describe('removing the second factor', () => {
  it('takes the password and a code, and leaves nothing', async () => {
    const { secret } = await turnOnTotp(ada);

    expectProblem(await remove(totpCode(secret), 'not it'), 403, 'wrong_password');
    expectProblem(await remove('000000'), 403, 'wrong_code');
    expect(invalidFields(await ada.post('/auth/me/totp/remove', {}))).toEqual(['code']);
    expect((await ada.get('/auth/me')).body.second_factor).toBe(true);
    expect((await remove(totpCode(secret))).status).toBe(204);

    expect((await ada.get('/auth/me')).body.second_factor).toBe(false);
    expect((await logIn()).status).toBe(200);
    expect(await t.manager.countBy(TotpSecret, { userId: ada.id })).toBe(0);
    expect(await t.manager.countBy(RecoveryCode, { userId: ada.id })).toBe(0);
    expect(auditOf(ada)).toEqual(expect.arrayContaining(['totp.wrong_code', 'totp.removed']));
  });

  it('accepts a recovery code', async () => {
    const { recoveryCodes } = await turnOnTotp(ada);

    expect((await remove(recoveryCodes[9]!)).status).toBe(204);
  });

  it('is refused while it is off, set up or not', async () => {
    expectProblem(await remove('123456'), 409, 'totp_inactive');
    const { secret } = (await start()).body;
    expectProblem(await remove(totpCode(secret)), 409, 'totp_inactive');
  });

  it('leaves nothing after the account is deleted', async () => {
    await turnOnTotp(ada);
    expect((await ada.post('/auth/me/delete', { current_password: ada.password })).status).toBe(204);

    expect(await t.manager.countBy(TotpSecret, { userId: ada.id })).toBe(0);
    expect(await t.manager.countBy(RecoveryCode, { userId: ada.id })).toBe(0);
  });
});

it('mails the user when the second factor is turned on and off', async () => {
  const { secret } = await turnOnTotp(ada);
  const { email: on } = await smtp.mailTo(ada.email);
  const body = { current_password: ada.password, code: totpCode(secret) };
  await ada.post('/auth/me/totp/remove', body, { 'Accept-Language': 'zh-CN' });

  const { email: off } = await smtp.mailTo(ada.email, 1);
  expect(on).toMatchObject({ subject: 'Two-factor authentication is on', to: [{ address: ada.email }] });
  expect(off.subject).toBe('两步验证已关闭');
});

/** Last, because passport's strategies are shared by all apps of a process. */
describe('with a second node', () => {
  let node: TestApp;
  let other: HttpClient;
  beforeAll(async () => {
    node = await t.startNode({ RATE_LIMIT_SCALE: '1', TRUST_PROXY: 'loopback' });
    other = new HttpClient(() => node.url);
  });
  afterAll(() => node?.stop());

  let addresses = 0;
  const from = (address: string) => ({ 'X-Forwarded-For': address });
  const anywhere = () => from(`198.51.100.${++addresses}`);
  const guess = (code: string, headers: Record<string, string> = anywhere(), { email, password } = ada) =>
    other.post('/auth/login', { email, password, code }, headers);

  it('a code and a recovery code admit one login, however many come at a time', async () => {
    const { secret, recoveryCodes } = await turnOnTotp(ada);

    for (const code of [totpCode(secret), recoveryCodes[0]!]) {
      const answers = Array.from({ length: 8 }, (_, n) => (n % 2 ? guess(code) : logIn(code)));
      expect(await statusesOf(answers)).toEqual([200, ...Array(7).fill(401)]);
    }
  });

  it('wrong codes are limited like wrong passwords, and do not lock the owner out at a known address', async () => {
    const home = anywhere();
    expect((await guess('', home)).status).toBe(422);
    expect((await other.post('/auth/login', { email: ada.email, password: ada.password }, home)).status).toBe(
      200,
    );
    const { secret } = await turnOnTotp(ada);
    logLines.length = 0;

    const guesses = Array.from({ length: 15 }, () => guess('000000'));
    expect(await statusesOf(guesses)).toEqual([...Array(10).fill(401), ...Array(5).fill(429)]);
    expectProblem(await guess(totpCode(secret)), 429, 'rate_limited');
    expect(auditOf(ada)).toContain('guessing.limited');
    expect((await guess(totpCode(secret), home)).status).toBe(200);
  });

  it('wrong codes and wrong passwords share one budget', async () => {
    await turnOnTotp(ada);
    const wrong = { email: ada.email, password: 'not the password' } as TestUser;

    const guesses = Array.from({ length: 12 }, (_, n) =>
      n % 2 ? guess('000000') : guess('000000', anywhere(), wrong),
    );
    expect(await statusesOf(guesses)).toEqual([...Array(10).fill(401), 429, 429]);
  });

  it('asking for a code is no failed login', async () => {
    const { secret } = await turnOnTotp(ada);
    const { email, password } = ada;
    for (let n = 0; n < 12; n++)
      expectProblem(
        await other.post('/auth/login', { email, password }, anywhere()),
        401,
        'second_factor_required',
      );

    expect((await guess(totpCode(secret))).status).toBe(200);
  });

  it('an account takes 50 wrong codes a day', async () => {
    const { secret } = await turnOnTotp(ada);
    const limits = node.app.get(RateLimits);
    for (let n = 0; n < 49; n++) await limits.consume('wrong_codes', ada.email);

    expectProblem(await guess('000000'), 401, 'wrong_code');
    expectProblem(await guess(totpCode(secret)), 429, 'rate_limited');
    const { email, password } = ada;
    const answer = await other.post('/auth/login', { email, password }, anywhere());
    expectProblem(answer, 401, 'second_factor_required');
  });

  it('wrong codes within a session are limited', async () => {
    const { secret } = await turnOnTotp(ada);
    const there = ada.on(node);
    const body = { current_password: ada.password, code: '000000' };
    const statuses = [];
    for (let n = 0; n < 12; n++)
      statuses.push((await there.post('/auth/me/totp/remove', body, anywhere())).status);

    expect(statuses).toEqual([...Array(10).fill(403), 429, 429]);
    expect((await guess(totpCode(secret))).status).toBe(200);
  });
});

it('leave no gaps in the audit trail', async () => expect(await gapsInAudit(t)).toEqual([]));
