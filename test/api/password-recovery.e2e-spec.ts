import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MailToken } from '../../src/auth/mails/mail-token.entity.js';
import { QueuedMail } from '../../src/mail/queued-mail.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { auditActionsOf, gapsInAudit } from '../support/app/audit.js';
import type { TestUser } from '../support/app/user.js';
import { HttpClient } from '../support/clients/http.js';
import { expectProblem, invalidFields } from '../support/clients/problems.js';
import { MailServer } from '../support/infrastructure/mail-server.js';

const NEW_PASSWORD = 'an even longer pass phrase';

let smtp: MailServer;
let t: TestApp;
let http: HttpClient;
let ada: TestUser;
beforeAll(async () => {
  smtp = await MailServer.start();
  t = await startTestApp({
    env: {
      SMTP_URL: smtp.url,
      PUBLIC_URL: 'https://chat.example.com/api',
      MAIL_FROM: 'Chat <chat@example.com>',
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
});

const forgot = (email: string, headers = {}) => http.post('/auth/password/forgot', { email }, headers);
const reset = (token: string, password = NEW_PASSWORD, client = http) =>
  client.post('/auth/password/reset', { token, password });
const logIn = (password: string) => http.post('/auth/login', { email: ada.email, password });

/** Requests a reset and returns the mailed token. */
async function mailedToken(): Promise<string> {
  const index = smtp.mailsTo(ada.email).length;
  expect((await forgot(ada.email)).status).toBe(202);
  const { email } = await smtp.mailTo(ada.email, index);
  return tokenIn(email.text!);
}

const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[numbers.length >> 1]!;

function tokenIn(text: string): string {
  return /^https:\/\/chat\.example\.com\/api\/reset-password#token=([\w-]{43})$/m.exec(text)![1]!;
}

describe('a forgotten password', () => {
  it('is mailed a link, in English', async () => {
    const answer = await forgot(ada.email);

    expect(answer).toMatchObject({ status: 202, body: '' });
    const { email } = await smtp.mailTo(ada.email);
    expect(email).toMatchObject({
      from: { name: 'Chat', address: 'chat@example.com' },
      to: [{ address: ada.email }],
      subject: 'Choose a new password',
    });
    expect(email.headers).toContainEqual(
      expect.objectContaining({ key: 'auto-submitted', value: 'auto-generated' }),
    );
    const token = tokenIn(email.text!);
    expect(email.html).toContain(`href="https://chat.example.com/api/reset-password#token=${token}"`);
  });

  it('is mailed in Chinese to a browser that prefers it', async () => {
    await forgot(ada.email, { 'Accept-Language': 'zh-CN,zh;q=0.9,en;q=0.8' });

    const { email } = await smtp.mailTo(ada.email);
    expect(email.subject).toBe('设置新密码');
    expect(email.text).toContain('此链接 30 分钟内有效');
    expect(email.html).toContain('lang="zh"');
  });

  it('is answered alike, and mailed to nobody, for an unknown address', async () => {
    const [unknown, known] = [await forgot(`not-${ada.email}`), await forgot(ada.email)];

    expect([unknown.status, unknown.body]).toEqual([known.status, known.body]);
    await smtp.mailTo(ada.email);
    expect(smtp.mailsTo(`not-${ada.email}`)).toEqual([]);
  });

  it('is sent to the stored address, whatever spelling was typed', async () => {
    await forgot(ada.email.toUpperCase());

    expect((await smtp.mailTo(ada.email)).recipients).toEqual([ada.email]);
  });

  it('needs an email address', async () => {
    expect(invalidFields(await forgot('ada\r\nBcc: eve@example.com'))).toEqual(['email']);
    expect(invalidFields(await http.post('/auth/password/forgot', {}))).toEqual(['email']);
  });
});

describe('the response about a forgotten password', () => {
  it('takes the same time for a known and an unknown address, within 5 % over 200 interleaved tries', async () => {
    // An account gets three mails an hour, so that each is asked about once.
    const users = await Promise.all(Array.from({ length: 100 }, () => t.user().create()));
    const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] };
    const time = async (email: string, of: number[]) => {
      const start = performance.now();
      await forgot(email);
      of.push(performance.now() - start);
    };
    for (let first = 0; first < users.length; first += 5)
      await Promise.all(
        users
          .slice(first, first + 5)
          .flatMap(({ email }) => [time(email, times.known), time(`not-${email}`, times.unknown)]),
      );

    const [one, other] = [median(times.known), median(times.unknown)];
    expect(Math.abs(one - other) / Math.min(one, other)).toBeLessThan(0.05);
  });
});

describe('a reset', () => {
  it('sets the password once, ends every session, and tells the owner', async () => {
    const device = await ada.signInAgain();
    const socket = ada.socket();
    await socket.connected;
    const token = await mailedToken();

    expect((await reset(token)).status).toBe(204);

    expectProblem(await ada.get('/auth/me'), 401, 'token_revoked');
    expectProblem(await device.get('/auth/me'), 401, 'token_revoked');
    await socket.disconnected;
    const refresh = { refresh_token: device.tokens.refresh_token };
    expect((await http.post('/auth/refresh', refresh)).status).toBe(401);
    expectProblem(await logIn(ada.password), 401, 'unauthenticated');
    expect((await logIn(NEW_PASSWORD)).status).toBe(200);
    expect((await smtp.mailTo(ada.email, 1)).email).toMatchObject({
      to: [{ address: ada.email }],
      subject: 'Your password was changed',
    });
    expect(invalidFields(await reset(token, 'yet another pass phrase'))).toEqual(['token']);
    const trail = await auditActionsOf(t, ada.id);
    expect(trail.filter((action) => action.startsWith('password.'))).toEqual([
      'password.forgotten',
      'password.reset',
    ]);
  });

  it('refuses a guessable password, for which the token can be used again', async () => {
    const token = await mailedToken();

    expect(invalidFields(await reset(token, ada.email))).toEqual(['password']);
    expect(invalidFields(await reset(token, 'short'))).toEqual(['password']);
    expect((await reset(token)).status).toBe(204);
  });

  it.each(['', 'x', 'A'.repeat(43), 'A'.repeat(513)])('refuses the token %p', async (token) => {
    expect(invalidFields(await reset(token))).toEqual(['token']);
  });

  it('refuses a token after 30 minutes', async () => {
    const token = await mailedToken();
    await t.manager.update(MailToken, { userId: ada.id }, { expiresAt: new Date() });

    expect(invalidFields(await reset(token))).toEqual(['token']);
  });

  it('gives a token 30 minutes', async () => {
    const before = Date.now();
    await mailedToken();

    const { expiresAt } = await t.manager.findOneByOrFail(MailToken, { userId: ada.id });
    const minutes = (expiresAt.getTime() - before) / 60_000;
    expect(minutes).toBeGreaterThanOrEqual(30);
    expect(minutes).toBeLessThan(31);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a newer mail', () => mailedToken()],
    [
      'a changed password',
      () =>
        ada.post('/auth/me/password', { password: 'changed by its owner', current_password: ada.password }),
    ],
    ['a changed email', () => ada.post('/auth/me/email', { email: `new-${ada.email}` })],
  ])('refuses a token that %s has cancelled', async (_, cancel) => {
    const token = await mailedToken();
    await cancel();

    expect(invalidFields(await reset(token))).toEqual(['token']);
  });

  it('leaves nothing after the account is deleted', async () => {
    const token = await mailedToken();
    expect((await ada.post('/auth/me/delete', { current_password: ada.password })).status).toBe(204);

    expect(invalidFields(await reset(token))).toEqual(['token']);
    expect(await t.manager.countBy(MailToken, { userId: ada.id })).toBe(0);
    expect(await t.manager.countBy(QueuedMail, { userId: ada.id })).toBe(0);
  });
});

/** Last, because passport's strategies are shared by all apps of a process. */
describe('with a second node', () => {
  let node: TestApp;
  let other: HttpClient;
  beforeAll(async () => {
    node = await t.startNode({ RATE_LIMIT_SCALE: '1' });
    other = new HttpClient(() => node.url);
  });
  afterAll(() => node?.stop());

  it('a token resets once, however many requests come at a time', async () => {
    const token = await mailedToken();

    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => reset(token, `${NEW_PASSWORD} ${n}`, n % 2 ? other : http)),
    );

    const statuses = answers.map(({ status }) => status);
    expect(statuses.sort()).toEqual([204, ...Array(7).fill(422)]);
  });

  it('an account gets three mails an hour at most, with the same response beyond', async () => {
    for (let n = 0; n < 5; n++) {
      const answer = await other.post('/auth/password/forgot', { email: ada.email });
      expect(answer).toMatchObject({ status: 202, body: '' });
    }

    const eve = await t.user().create();
    await other.post('/auth/password/forgot', { email: eve.email });
    await smtp.mailTo(eve.email);
    expect(smtp.mailsTo(ada.email)).toHaveLength(3);
  });
});

it('leave no gaps in the audit trail', async () => expect(await gapsInAudit(t)).toEqual([]));
