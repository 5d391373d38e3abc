import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { MailToken } from '../../src/auth/mails/mail-token.entity.js';
import { User } from '../../src/auth/users/user.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { auditActionsOf, gapsInAudit } from '../support/app/audit.js';
import type { TestUser } from '../support/app/user.js';
import { HttpClient } from '../support/clients/http.js';
import { expectProblem, invalidFields } from '../support/clients/problems.js';
import { MailServer } from '../support/infrastructure/mail-server.js';
import { until } from '../support/infrastructure/until.js';

const VERIFY = 'Confirm your email address';
const EMAIL_CHANGED = 'Your email address was changed';
const PASSWORD_CHANGED = 'Your password was changed';
const PASSWORD = 'a long enough pass phrase';

let smtp: MailServer;
let t: TestApp;
let http: HttpClient;
let ada: TestUser;
beforeAll(async () => {
  smtp = await MailServer.start();
  t = await startTestApp({
    env: {
      EMAIL_VERIFICATION: 'optional',
      SMTP_URL: smtp.url,
      PUBLIC_URL: 'https://chat.example.com',
      ADMIN_EMAILS: 'boss@example.com',
    },
  });
  http = new HttpClient(() => t.url);
});
afterAll(async () => {
  await t?.stop();
  await smtp?.close();
});
beforeEach(async () => {
  ada = await t.user().create();
  // Mails may overtake each other.
  await smtp.mailTo(ada.email);
});

const newEmail = () => `new-${randomBytes(6).toString('hex')}@example.com`;
const verify = (token: string, client = http) => client.post('/auth/email/verify', { token });
const resend = (user: TestUser) => user.post('/auth/email/verification');
const changeEmail = (user: TestUser, email: string) => user.post('/auth/me/email', { email });
const me = async (user: TestUser) => (await user.get('/auth/me')).body;
const isVerified = async (user: TestUser) => (await me(user)).email_verified;
const logIn = (email: string, password: string, client = http) =>
  client.post('/auth/login', { email, password });

/** Waits for the given number of mails to an address. */
async function subjectsTo(email: string, count: number): Promise<(string | undefined)[]> {
  await smtp.mailTo(email, count - 1);
  return smtp.mailsTo(email).map(({ email }) => email.subject);
}

/** The token of the mail that arrived at an address at the given place. */
async function tokenTo(email: string, index = 0): Promise<string> {
  const { text } = (await smtp.mailTo(email, index)).email;
  return /#token=([\w-]{43})$/m.exec(text!)![1]!;
}

describe('a registration', () => {
  it('is mailed a link that verifies the address, in English', async () => {
    expect(await isVerified(ada)).toBe(false);

    const { email, recipients } = await smtp.mailTo(ada.email);
    expect(recipients).toEqual([ada.email]);
    expect(email.subject).toBe(VERIFY);
    const token = await tokenTo(ada.email);
    const link = `https://chat.example.com/verify-email#token=${token}`;
    expect(email.text).toContain(`\n${link}\n`);
    expect(email.html).toContain(`href="${link}"`);
    expect(await verify(token)).toMatchObject({ status: 204, body: '' });
    expect(await isVerified(ada)).toBe(true);
    expect(await auditActionsOf(t, ada.id)).toContain('email.verified');
  });

  it('is mailed in Chinese to a browser that prefers it', async () => {
    const account = { username: newEmail(), email: newEmail(), password: PASSWORD };
    const answer = await http.post('/auth/register', account, { 'Accept-Language': 'zh-CN,zh;q=0.9' });

    expect(answer).toMatchObject({ status: 201, body: { email_verified: false } });
    const { email } = await smtp.mailTo(account.email);
    expect(email.subject).toBe('确认您的邮箱地址');
    expect(email.text).toContain('此链接 24 小时内有效');
    expect(email.html).toContain('lang="zh"');
  });

  it('with an address of ADMIN_EMAILS makes an administrator once it is verified', async () => {
    const account = { username: 'boss', email: 'Boss@example.com', password: PASSWORD };
    expect((await http.post('/auth/register', account)).body).toMatchObject({ role: 'user' });
    const { access_token } = (await logIn(account.email, PASSWORD)).body;
    const role = async () =>
      (await http.get('/auth/me', { Authorization: `Bearer ${String(access_token)}` })).body.role;
    expect(await role()).toBe('user');

    await verify(await tokenTo('boss@example.com'));
    expect(await role()).toBe('admin');
  });

  it('sends one mail to an address that looks like two', async () => {
    const email = `"eve,${randomBytes(4).toString('hex')}"@example.com`;
    const answer = await http.post('/auth/register', { username: newEmail(), email, password: PASSWORD });

    expect(answer.status).toBe(201);
    const { recipients, email: mail } = await smtp.mailTo(email);
    expect(recipients).toEqual([email]);
    expect(mail.to).toEqual([{ name: '', address: email }]);
  });

  it('with a line break in the address is refused', async () => {
    const email = 'ada@example.com\r\nBcc: eve@example.org';
    const answer = await http.post('/auth/register', { username: newEmail(), email, password: PASSWORD });

    expect(invalidFields(answer)).toEqual(['email']);
  });
});

describe('a verification', () => {
  it.each(['', 'x', 'A'.repeat(43), 'A'.repeat(513)])('refuses the token %p', async (token) => {
    expect(invalidFields(await verify(token))).toEqual(['token']);
  });

  it('uses a token once', async () => {
    const token = await tokenTo(ada.email);
    expect((await verify(token)).status).toBe(204);

    expect(invalidFields(await verify(token))).toEqual(['token']);
  });

  it('gives a token 24 hours', async () => {
    const token = await tokenTo(ada.email);
    const { expiresAt } = await t.manager.findOneByOrFail(MailToken, { userId: ada.id });
    const hours = (expiresAt.getTime() - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(23.9);
    expect(hours).toBeLessThanOrEqual(24);

    await t.manager.update(MailToken, { userId: ada.id }, { expiresAt: new Date() });
    expect(invalidFields(await verify(token))).toEqual(['token']);
    expect(await isVerified(ada)).toBe(false);
  });

  it('refuses the token of a reset, and a reset refuses its own', async () => {
    const token = await tokenTo(ada.email);
    await http.post('/auth/password/forgot', { email: ada.email });
    const resetToken = await tokenTo(ada.email, 1);

    expect(invalidFields(await verify(resetToken))).toEqual(['token']);
    const reset = await http.post('/auth/password/reset', { token, password: PASSWORD });
    expect(invalidFields(reset)).toEqual(['token']);
    expect((await verify(token)).status).toBe(204);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a newer mail', () => resend(ada)],
    [
      'a changed password',
      () => ada.post('/auth/me/password', { password: PASSWORD, current_password: ada.password }),
    ],
    ['a changed email', () => changeEmail(ada, newEmail())],
  ])('refuses a token that %s has cancelled', async (_, cancel) => {
    const token = await tokenTo(ada.email);
    expect(await cancel()).toMatchObject({ status: expect.any(Number) });

    expect(invalidFields(await verify(token))).toEqual(['token']);
    expect(await isVerified(ada)).toBe(false);
  });
});

describe('another mail', () => {
  it('is sent while the address is unverified', async () => {
    await tokenTo(ada.email);
    expect(await resend(ada)).toMatchObject({ status: 202, body: '' });

    expect((await verify(await tokenTo(ada.email, 1))).status).toBe(204);
    expectProblem(await resend(ada), 409, 'already_verified');
  });

  it('requires a token of access', async () => {
    expectProblem(await http.post('/auth/email/verification'), 401, 'unauthenticated');
  });
});

describe('a changed email address', () => {
  it('is unverified, mailed a link, and reported to the old address', async () => {
    await verify(await tokenTo(ada.email));
    const email = newEmail();

    expect((await changeEmail(ada, email)).body).toMatchObject({ email, email_verified: false });

    expect(await subjectsTo(ada.email, 2)).toEqual([VERIFY, EMAIL_CHANGED]);
    expect(JSON.stringify(await smtp.mailTo(ada.email, 1))).not.toContain(email);
    expect((await logIn(email, ada.password)).status).toBe(200);
    expect((await verify(await tokenTo(email))).status).toBe(204);
    expect(await me(ada)).toMatchObject({ email, email_verified: true });
  });

  it('stays verified and is reported to nobody if it is the same', async () => {
    await verify(await tokenTo(ada.email));

    expect((await changeEmail(ada, ada.email.toUpperCase())).body).toMatchObject({ email_verified: true });

    await ada.post('/auth/me/password', { password: PASSWORD });
    expect(await subjectsTo(ada.email, 2)).toEqual([VERIFY, PASSWORD_CHANGED]);
  });
});

describe('a changed password', () => {
  it('is reported in the language of the request', async () => {
    const headers = { 'Accept-Language': 'zh' };
    expect((await ada.post('/auth/me/password', { password: PASSWORD }, headers)).status).toBe(204);

    const { email } = await smtp.mailTo(ada.email, 1);
    expect(email.subject).toBe('您的密码已更改');
    expect(email.text).toContain('其他会话均已结束');
  });
});

describe('a reset', () => {
  it('verifies the address it was mailed to', async () => {
    await http.post('/auth/password/forgot', { email: ada.email });
    const token = await tokenTo(ada.email, 1);
    expect((await http.post('/auth/password/reset', { token, password: PASSWORD })).status).toBe(204);

    expect((await logIn(ada.email, PASSWORD)).status).toBe(200);
    const { rows } = {
      rows: await t.manager.query('SELECT email_verified FROM users WHERE id = ?', [ada.id]),
    };
    expect(rows).toEqual([{ email_verified: 1 }]);
  });
});

/** Last, because passport's strategies are shared by all apps of a process. */
describe('a node that limits', () => {
  let node: TestApp;
  let other: HttpClient;
  beforeAll(async () => {
    node = await t.startNode({ RATE_LIMIT_SCALE: '1' });
    other = new HttpClient(() => node.url);
  });
  afterAll(() => node?.stop());

  it('verifies once, however many requests come at a time', async () => {
    const token = await tokenTo(ada.email);

    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => verify(token, n % 2 ? other : http)),
    );

    expect(answers.map(({ status }) => status).sort()).toEqual([204, ...Array(7).fill(422)]);
    expect(await isVerified(ada)).toBe(true);
  });

  it('sends an account three mails an hour, the registration’s included, and changes are reported beyond', async () => {
    const eve = await node.user().create();
    for (let n = 0; n < 4; n++) expect(await resend(eve)).toMatchObject({ status: 202, body: '' });
    expect((await eve.post('/auth/me/password', { password: PASSWORD })).status).toBe(204);

    // Mails are delivered concurrently.
    const subjects = await subjectsTo(eve.email, 4);
    expect(subjects.toSorted()).toEqual([VERIFY, VERIFY, VERIFY, PASSWORD_CHANGED].toSorted());
  });

  it('sends an address three mails an hour, though its account is deleted and registered again', async () => {
    const account = { username: newEmail(), email: newEmail(), password: PASSWORD };
    for (let n = 0; n < 4; n++) {
      expect((await other.post('/auth/register', account)).status).toBe(201);
      await smtp.mailTo(account.email, Math.min(n, 2));
      await t.manager.delete(User, { email: account.email });
    }

    const eve = await node.user().create();
    await smtp.mailTo(eve.email);
    expect(smtp.mailsTo(account.email)).toHaveLength(3);
  });
});

describe('EMAIL_VERIFICATION=off', () => {
  let node: TestApp;
  beforeAll(async () => {
    node = await t.startNode({ EMAIL_VERIFICATION: 'off' });
  });
  afterAll(() => node?.stop());

  it('mails a link when it is asked for, and not before', async () => {
    const eve = await node.user().create();
    const email = newEmail();
    await changeEmail(eve, email);
    expect(await subjectsTo(eve.email, 1)).toEqual([EMAIL_CHANGED]);

    expect((await resend(eve)).status).toBe(202);
    expect(await subjectsTo(email, 1)).toEqual([VERIFY]);
  });
});

describe('EMAIL_VERIFICATION=required', () => {
  let node: TestApp;
  let strict: HttpClient;
  beforeAll(async () => {
    node = await t.startNode({ EMAIL_VERIFICATION: 'required' });
    strict = new HttpClient(() => node.url);
  });
  afterAll(() => node?.stop());

  /** A user whose address is verified, at the node. */
  async function verifiedUser(): Promise<TestUser> {
    const user = await t.user().create();
    await verify(await tokenTo(user.email));
    return user.on(node);
  }

  it('refuses the right password of an unverified address and mails the link again, also to older accounts', async () => {
    await tokenTo(ada.email);
    expectProblem(await logIn(ada.email, 'wrong', strict), 401, 'unauthenticated');
    expectProblem(await logIn(ada.email, ada.password, strict), 403, 'email_unverified');
    const where = { userId: ada.id, action: 'login.failed' };
    await until(async () => (await t.manager.findBy(AuditEvent, where)).length === 2);
    const failed = await t.manager.find(AuditEvent, { where, order: { id: 'ASC' } });
    const details = failed.map((event) => event.details);
    expect(details).toEqual([null, { error: 'email_unverified' }]);

    expect(await subjectsTo(ada.email, 2)).toEqual([VERIFY, VERIFY]);
    expect((await verify(await tokenTo(ada.email, 1), strict)).status).toBe(204);
    expect((await logIn(ada.email, ada.password, strict)).status).toBe(200);
  });

  it('lets a user in whose address a reset has verified', async () => {
    await strict.post('/auth/password/forgot', { email: ada.email });
    const token = await tokenTo(ada.email, 1);
    await strict.post('/auth/password/reset', { token, password: PASSWORD });

    expect((await logIn(ada.email, PASSWORD, strict)).status).toBe(200);
  });

  it('changes an address once the new one is verified', async () => {
    const eve = await verifiedUser();
    const email = newEmail();
    expect((await changeEmail(eve, email)).body).toMatchObject({ email: eve.email, email_verified: true });
    const token = await tokenTo(email);
    expect((await logIn(eve.email, eve.password, strict)).status).toBe(200);
    expectProblem(await logIn(email, eve.password, strict), 401, 'unauthenticated');

    expect((await verify(token, strict)).status).toBe(204);

    expect(await me(eve)).toMatchObject({ email, email_verified: true });
    expect(await subjectsTo(eve.email, 2)).toEqual([VERIFY, EMAIL_CHANGED]);
    expect((await logIn(email, eve.password, strict)).status).toBe(200);
    expectProblem(await logIn(eve.email, eve.password, strict), 401, 'unauthenticated');
  });

  it('mails the link again to the new address', async () => {
    const eve = await verifiedUser();
    const email = newEmail();
    await changeEmail(eve, email);
    const token = await tokenTo(email);
    expect((await resend(eve)).status).toBe(202);

    expect(invalidFields(await verify(token, strict))).toEqual(['token']);
    expect((await verify(await tokenTo(email, 1), strict)).status).toBe(204);
    expect(await me(eve)).toMatchObject({ email });
  });

  it.each<[string, (user: TestUser) => Promise<unknown>]>([
    ['another address', (user) => changeEmail(user, newEmail())],
    ['the present address again', (user) => changeEmail(user, user.email)],
    ['a new password', (user) => user.post('/auth/me/password', { password: PASSWORD })],
  ])('cancels the change when the user chooses %s', async (_, cancel) => {
    const eve = await verifiedUser();
    const email = newEmail();
    await changeEmail(eve, email);
    const token = await tokenTo(email);
    await cancel(eve);

    expect(invalidFields(await verify(token, strict))).toEqual(['token']);
    expect(await me(eve)).toMatchObject({ email: eve.email, email_verified: true });
  });

  it('refuses an address that another account has, at once or when it is verified', async () => {
    const eve = await verifiedUser();
    expectProblem(await changeEmail(eve, ada.email), 409, 'email_taken');
    const email = newEmail();
    await changeEmail(eve, email);
    const token = await tokenTo(email);
    await changeEmail(ada, email);

    expectProblem(await verify(token, strict), 409, 'email_taken');
    expect(await me(eve)).toMatchObject({ email: eve.email, email_verified: true });
    await changeEmail(ada, newEmail());
    expect((await verify(token, strict)).status).toBe(204);
    expect(await me(eve)).toMatchObject({ email });
  });

  it('gives an address to one of two accounts that verify it at a time', async () => {
    const users = [await verifiedUser(), await verifiedUser()];
    const email = newEmail();
    for (const user of users) await changeEmail(user, email);
    const tokens = [await tokenTo(email), await tokenTo(email, 1)];

    const answers = await Promise.all(tokens.map((token, n) => verify(token, n ? http : strict)));

    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
    const emails = await Promise.all(users.map(async (user) => (await me(user)).email));
    expect(emails.filter((address) => address === email)).toHaveLength(1);
  });
});

it('leave no gaps in the audit trail', async () => expect(await gapsInAudit(t)).toEqual([]));
