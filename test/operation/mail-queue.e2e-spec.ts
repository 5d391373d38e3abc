/** Mails wait in the database until a real SMTP server has taken them. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { SMTPServerOptions } from 'smtp-server';
import { DataSource } from 'typeorm';
import { transaction } from '../../src/database/retry.js';
import { Settings } from '../../src/env/settings.js';
import { MailQueue, retryDelayMs } from '../../src/mail/mail-queue.service.js';
import { MailTransport } from '../../src/mail/mail-transport.js';
import { QueuedMail } from '../../src/mail/queued-mail.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { LogLines } from '../support/app/log-lines.js';
import type { TestUser } from '../support/app/user.js';
import { MailServer } from '../support/infrastructure/mail-server.js';
import { until } from '../support/infrastructure/until.js';

const tls = (name: string) => readFileSync(join(import.meta.dirname, '../data/tls', name));
const PASSWORD = 'word-for-the-mail-server';
const log = new LogLines();

let t: TestApp;
let smtp: MailServer | undefined;
let port: number;
/** Outcome of a mail to a server that says nothing, which takes a while beside the other tests. */
let stalled: Promise<{ error: Error; ms: number }>;
beforeAll(async () => {
  stalled = sendToStallingServer();
  const server = await MailServer.start();
  ({ port } = server);
  await server.close();
  t = await startTestApp({ env: { SMTP_URL: `smtp://parley:${PASSWORD}@127.0.0.1:${port}` }, log });
});
afterEach(async () => {
  await smtp?.close();
  smtp = undefined;
});
afterAll(() => t?.stop());

async function sendToStallingServer(): Promise<{ error: Error; ms: number }> {
  const connections = new Set<Socket>();
  const server = createServer((connection) => connections.add(connection)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const smtpUrl = `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = Object.assign(new Settings(), { smtpUrl, mailFrom: 'chat@example.com' });
  const start = performance.now();
  const mail = { to: 'ada@example.com', subject: 'Stalled', text: 'Stalled', html: '' };
  const error = await new MailTransport(settings).send(mail).then(
    () => new Error('The mail was sent'),
    (reason: Error) => reason,
  );
  for (const connection of connections) connection.destroy();
  server.close();
  return { error, ms: performance.now() - start };
}

/** The SMTP server of the app; until it starts, none listens. */
async function startServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const onAuth: SMTPServerOptions['onAuth'] = ({ username, password }, _session, done) =>
    password === PASSWORD ? done(null, { user: username }) : done(new Error('Wrong password'));
  return (smtp = await MailServer.start({ allowInsecureAuth: true, onAuth, ...options }, port));
}

/** A user who has forgotten the password. */
async function forgetful(at: TestApp = t): Promise<TestUser> {
  const user = await at.user().create();
  expect((await at.http.post('/auth/password/forgot', { email: user.email })).status).toBe(202);
  return user;
}

const waiting = ({ id: userId }: TestUser) => t.manager.findBy(QueuedMail, { userId });
const sent = (user: TestUser) => until(async () => (await waiting(user)).length === 0);
const logged = (user: TestUser, message: string) =>
  log.until(({ msg, user_id }) => msg === message && user_id === user.id);
const failed = (user: TestUser) => logged(user, 'Failed to send a mail; it will be tried again');

/** Makes a waiting mail due, as its delay does. */
async function makeDue({ id: userId }: TestUser): Promise<void> {
  await t.manager.update(QueuedMail, { userId }, { nextAttemptAt: new Date() });
  t.app.get(MailQueue).wake();
}

describe('an SMTP server that is unavailable', () => {
  it('gets the mail once it is back, after a restart of Parley', async () => {
    const ada = await forgetful();

    expect(await failed(ada)).toMatchObject({
      level: 'warn',
      attempt: 1,
      error: expect.stringContaining('ECONNREFUSED'),
    });
    const [mail] = await waiting(ada);
    expect(mail).toMatchObject({ attempts: 1 });
    expect(mail!.nextAttemptAt.getTime()).toBeGreaterThan(Date.now());

    await t.restart();
    const server = await startServer();
    await makeDue(ada);
    expect((await server.mailTo(ada.email)).recipients).toEqual([ada.email]);
    await sent(ada);
  });

  it('keeps nothing readable waiting', async () => {
    const ada = await forgetful();
    await failed(ada);

    const [{ encryptedMail }] = (await waiting(ada)) as [QueuedMail];
    expect(encryptedMail).toMatch(/^gAAAA/);
    const written = Buffer.from(encryptedMail, 'base64url').toString('latin1') + encryptedMail;
    for (const secret of [ada.email, 'reset-password']) expect(written).not.toContain(secret);
  });

  it('is given up after a day', async () => {
    const ada = await forgetful();
    await failed(ada);
    const createdAt = new Date(Date.now() - 25 * 60 * 60_000);
    await t.manager.update(QueuedMail, { userId: ada.id }, { createdAt });
    await makeDue(ada);

    expect(await logged(ada, 'Gave up a mail')).toMatchObject({ level: 'error', attempt: 2 });
    expect(await waiting(ada)).toEqual([]);
  });

  it('is tried again after a minute at first, and after an hour at most', () => {
    expect([0, 1, 2, 30].map(retryDelayMs)).toEqual([60_000, 120_000, 240_000, 3_600_000]);
  });
});

describe('an SMTP server', () => {
  it('is logged in to', async () => {
    const server = await startServer();
    const ada = await forgetful();

    const { username, email } = await server.mailTo(ada.email);
    expect(username).toBe('parley');
    expect(email.headers).toContainEqual(
      expect.objectContaining({ key: 'auto-submitted', value: 'auto-generated' }),
    );
    await sent(ada);
  });

  it('that refuses the login is tried again, and the log holds no password', async () => {
    const server = await startServer({
      onAuth: (_login, _session, done) => done(new Error('Refused')),
    });
    const ada = await forgetful();

    expect(await failed(ada)).toMatchObject({ error: 'EAUTH 535' });
    expect(log.text).not.toContain(PASSWORD);
    expect(server.received).toEqual([]);
  });

  it('gets nothing if it offers STARTTLS with a certificate that is not trusted', async () => {
    const server = await startServer({
      key: tls('key.pem'),
      cert: tls('cert.pem'),
      allowInsecureAuth: false,
    });
    const ada = await forgetful();

    expect((await failed(ada)).error).toMatch(/certificate/);
    expect(server.received).toEqual([]);
  });
});

/** Late, because it takes a while. */
it('a mail server that stalls is left after ten seconds', async () => {
  const { error, ms } = await stalled;

  // Nodemailer's limits of the greeting and of a silent socket end together.
  expect(['Greeting never received', 'Timeout']).toContain(error.message);
  expect(ms).toBeGreaterThan(9_000);
  expect(ms).toBeLessThan(15_000);
});

/** Last, because passport's strategies are shared by all apps of a process. */
describe('with a second node', () => {
  it('each mail is sent once', async () => {
    const server = await startServer();
    const node = await t.startNode();
    const ada = await t.user().create();
    const mail = { to: ada.email, subject: 'Once', text: 'Once', html: '' };
    await transaction(t.app.get(DataSource), async (manager) => {
      for (let n = 0; n < 20; n++) await t.app.get(MailQueue).add(manager, ada.id, mail);
    });
    node.app.get(MailQueue).wake();

    await sent(ada);
    expect(server.mailsTo(ada.email)).toHaveLength(20);
    await node.stop();
  });

  it('without SMTP_URL, mails are written to the outbox, for the owner alone, and the link to the log', async () => {
    const node = await t.startNode({ SMTP_URL: undefined });
    // Otherwise the other node may take the mail.
    await t.app.get(MailQueue).beforeApplicationShutdown();
    const ada = await forgetful(node);

    const { link, file } = await log.until(
      ({ msg }) => msg === 'Mail written to a file, because SMTP_URL is not set',
    );
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/reset-password#token=[\w-]{43}$/);
    const folder = join(node.settings.dataDir, 'outbox');
    expect(await readdir(folder)).toEqual([String(file).split('/').pop()]);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(String(file))).mode & 0o777).toBe(0o600);
    expect(await readFile(String(file), 'latin1')).toContain(`To: ${ada.email}\r\n`);
    await node.stop();
  });
});
