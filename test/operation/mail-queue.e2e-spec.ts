/** Mails wait in the database until a real SMTP server has taken them. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { MailQueue, retryDelayMs } from '../../src/mail/mail-queue.service.js';
import { QueuedMail } from '../../src/mail/queued-mail.entity.js';
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app/app.js';
import { LogLines } from '../support/app/log-lines.js';
import type { TestUser } from '../support/app/user.js';
import { HttpClient } from '../support/clients/http.js';
import { MailServer } from '../support/infrastructure/mail-server.js';
import { until } from '../support/infrastructure/until.js';

const tls = (name: string) => readFileSync(join(__dirname, '../data/tls', name));

let t: TestApp | undefined;
let smtp: MailServer | undefined;
let log: LogLines;
beforeEach(() => {
  log = new LogLines();
});
afterEach(async () => {
  await t?.stop();
  await smtp?.close();
  t = smtp = undefined;
});

async function start(env: TestAppOptions['env']): Promise<TestUser> {
  t = await startTestApp({ env, log });
  return t.user().create();
}

async function forgot(user: TestUser): Promise<void> {
  const { status } = await new HttpClient(() => t!.url).post('/auth/password/forgot', { email: user.email });
  expect(status).toBe(202);
}

const waiting = () => t!.manager.find(QueuedMail);
/** Makes waiting mails due, as their delay does. */
async function makeDue(): Promise<void> {
  await t!.manager.update(QueuedMail, { attempts: 1 }, { nextAttemptAt: new Date() });
  t!.app.get(MailQueue).wake();
}
const failed = () => log.until(({ msg }) => msg === 'Failed to send a mail; it will be tried again');

describe('an SMTP server that is unavailable', () => {
  it('gets the mail once it is back, after a restart of Parley', async () => {
    smtp = await MailServer.start();
    const { port, url } = smtp;
    await smtp.close();
    const ada = await start({ SMTP_URL: url });
    await forgot(ada);

    expect(await failed()).toMatchObject({
      level: 'warn',
      user_id: ada.id,
      attempt: 1,
      error: expect.stringContaining('ECONNREFUSED'),
    });
    const [mail] = await waiting();
    expect(mail).toMatchObject({ userId: ada.id, attempts: 1 });
    expect(mail!.nextAttemptAt.getTime()).toBeGreaterThan(Date.now());

    await t!.restart();
    smtp = await MailServer.start({}, port);
    await makeDue();
    expect((await smtp.mailTo(ada.email)).recipients).toEqual([ada.email]);
    await until(async () => (await waiting()).length === 0);
  });

  it('is left after ten seconds if it stalls, and holds nothing else up', async () => {
    const connections = new Set<Socket>();
    const stalling = createServer((connection) => connections.add(connection)).listen(0, '127.0.0.1');
    await once(stalling, 'listening');
    const { port } = stalling.address() as AddressInfo;
    const ada = await start({ SMTP_URL: `smtp://127.0.0.1:${port}` });
    const began = Date.now();
    await forgot(ada);

    expect((await ada.get('/auth/me')).status).toBe(200);
    expect((await log.until(({ msg }) => /Failed to send/.test(String(msg)), 20_000)).error).toBe(
      'Greeting never received',
    );
    expect(Date.now() - began).toBeGreaterThan(9_000);
    for (const connection of connections) connection.destroy();
    stalling.close();
  }, 30_000);

  it('keeps nothing readable waiting', async () => {
    smtp = await MailServer.start();
    await smtp.close();
    const ada = await start({ SMTP_URL: smtp.url });
    await forgot(ada);
    await failed();

    const [{ encryptedMail }] = (await waiting()) as [QueuedMail];
    expect(encryptedMail).toMatch(/^gAAAA/);
    const written = Buffer.from(encryptedMail, 'base64url').toString('latin1') + encryptedMail;
    for (const secret of [ada.email, 'reset-password']) expect(written).not.toContain(secret);
  });

  it('is given up after a day', async () => {
    smtp = await MailServer.start();
    await smtp.close();
    const ada = await start({ SMTP_URL: smtp.url });
    await forgot(ada);
    await failed();
    await t!.manager.update(
      QueuedMail,
      { attempts: 1 },
      { createdAt: new Date(Date.now() - 25 * 60 * 60_000) },
    );
    await makeDue();

    expect(await log.until(({ msg }) => msg === 'Gave up a mail')).toMatchObject({
      level: 'error',
      attempt: 2,
    });
    expect(await waiting()).toEqual([]);
  });

  it('is tried again after a minute at first, and after an hour at most', () => {
    expect([0, 1, 2, 30].map(retryDelayMs)).toEqual([60_000, 120_000, 240_000, 3_600_000]);
  });
});

describe('an SMTP server', () => {
  it('gets each mail once from two nodes', async () => {
    smtp = await MailServer.start();
    const ada = await start({ SMTP_URL: smtp.url });
    const node = await t!.startNode();
    const queues = [t!.app.get(MailQueue), node.app.get(MailQueue)];
    const mail = { to: ada.email, subject: 'Once', text: 'Once', html: '' };
    for (let n = 0; n < 20; n++) await queues[0]!.add(t!.manager, ada.id, mail);
    for (const queue of queues) queue.wake();

    await until(async () => (await waiting()).length === 0);
    expect(smtp.received).toHaveLength(20);
    await node.stop();
  }, 20_000);

  it('is logged in to', async () => {
    smtp = await MailServer.start({ allowInsecureAuth: true });
    const ada = await start({ SMTP_URL: `smtp://parley:secret@127.0.0.1:${smtp.port}` });
    await forgot(ada);

    expect(await smtp.mailTo(ada.email)).toMatchObject({ username: 'parley' });
  });

  it('that refuses the login is tried again, and the log holds no password', async () => {
    smtp = await MailServer.start({ allowInsecureAuth: true });
    const ada = await start({ SMTP_URL: `smtp://parley:wrong-word@127.0.0.1:${smtp.port}` });
    await forgot(ada);

    expect(await failed()).toMatchObject({ error: 'EAUTH 535' });
    expect(log.text).not.toContain('wrong-word');
    expect(smtp.received).toEqual([]);
  });

  it('gets nothing if it offers STARTTLS with a certificate that is not trusted', async () => {
    smtp = await MailServer.start({ key: tls('key.pem'), cert: tls('cert.pem') });
    const ada = await start({ SMTP_URL: smtp.url });
    await forgot(ada);

    expect((await failed()).error).toMatch(/certificate/);
    expect(smtp.received).toEqual([]);
  });
});

describe('without SMTP_URL', () => {
  it('writes mails to the outbox, for the owner alone, and logs the link', async () => {
    const ada = await start({});
    await forgot(ada);

    const { link, file } = await log.until(({ msg }) => /written to a file/.test(String(msg)));
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/reset-password#token=[\w-]{43}$/);
    const folder = join(t!.settings.dataDir, 'outbox');
    expect(await readdir(folder)).toEqual([String(file).split('/').pop()]);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(String(file))).mode & 0o777).toBe(0o600);
    expect(await readFile(String(file), 'latin1')).toContain(`To: ${ada.email}\r\n`);
  });
});
