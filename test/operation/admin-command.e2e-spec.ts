/** `npm run admin` against the database of a running, built server. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess } from '../support/app/server-process.js';
import { UserBuilder, type TestUser } from '../support/app/user.js';
import { HttpClient, type Thing } from '../support/clients/http.js';
import { createMigratedDatabase, type TestDatabase } from '../support/infrastructure/database.js';

const COMMAND = join(import.meta.dirname, '../../dist/server/admin.js');
const WITH_REDIS_MS = 1000;
const WITHOUT_REDIS_MS = 5000;

let folder: string;
let database: TestDatabase;
let server: ServerProcess;
let url: string;
let env: NodeJS.ProcessEnv;
const connections: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-admin-'));
  database = await createMigratedDatabase(folder);
  const { TEST_REDIS_URL: REDIS_URL } = process.env;
  env = { DATA_DIR: folder, DATABASE_URL: database.url, RATE_LIMIT_SCALE: '0', REDIS_URL };
  server = new ServerProcess(folder, env);
  url = await server.url();
}, 40_000);
afterAll(async () => {
  await Promise.allSettled(connections.map((connection) => connection.close()));
  await server?.close();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function admin(...parameters: string[]): Promise<Outcome> {
  const options = { cwd: folder, env: { PATH: process.env.PATH, NODE_ENV: 'test', ...env } };
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...parameters], options, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

function createUser(): Promise<TestUser> {
  const opened = <T extends { close(): Promise<void> }>(connection: T): T => {
    connections.push(connection);
    return connection;
  };
  return new UserBuilder({ url: () => url, opened }).create();
}

/** Time from the end of the command until the socket is closed. */
async function closingMs(user: TestUser, command: string): Promise<number> {
  const socket = user.socket();
  await socket.connected;
  expect((await admin(command, user.email)).code).toBe(0);
  const start = performance.now();
  await socket.disconnected;
  return performance.now() - start;
}

const sessionless = new HttpClient(() => url);
const signIn = async ({ email, password }: TestUser) =>
  sessionless.post<Thing>('/auth/login', { email, password });

// Each command is a process, which is slow to start on a busy machine.
jest.setTimeout(30_000);

describe('npm run admin', () => {
  const inTime = process.env.TEST_REDIS_URL ? WITH_REDIS_MS : WITHOUT_REDIS_MS;

  it('grants and revokes the role, but not of the last administrator', async () => {
    const [ada, bob] = [await createUser(), await createUser()];
    const email = ` ${ada.email.toUpperCase()}`;
    expect(await admin('grant', email)).toMatchObject({
      code: 0,
      stdout: `${ada.email} is an administrator now.\n`,
    });
    expect((await ada.get('/admin/users')).status).toBe(200);
    const refused = await Promise.all([admin('revoke', ada.email), admin('disable', ada.email)]);
    const isLast = {
      code: 1,
      stderr: 'This is the last administrator who is enabled: grant the role to another first.\n',
    };
    expect(refused).toMatchObject([isLast, isLast]);
    await admin('grant', bob.email);

    expect(await admin('revoke', ada.email)).toEqual({
      code: 0,
      stdout: `${ada.email} is no administrator any more.\n`,
      stderr: '',
    });
    expect((await ada.get('/admin/users')).status).toBe(403);
    expect((await admin('list')).stdout).toBe(`${bob.id}\t${bob.email}\t${bob.username}\tadmin\tenabled\n`);
    const { body } = await bob.get<{ events: Thing[] }>(
      `/admin/audit?user_id=${ada.id}&action=admin.user.revoke`,
    );
    expect(body.events).toMatchObject([{ user_id: null, target_user_id: ada.id, address: null }]);
  });

  it('disables and enables a user', async () => {
    const ada = await createUser();

    expect(await closingMs(ada, 'disable')).toBeLessThan(inTime);
    expect((await signIn(ada)).body.code).toBe('account_disabled');
    expect((await admin('list', '--all')).stdout).toContain(
      `${ada.id}\t${ada.email}\t${ada.username}\tuser\tdisabled\n`,
    );
    expect(await admin('enable', ada.email)).toMatchObject({ code: 0, stdout: `${ada.email} is enabled.\n` });
    expect((await signIn(ada)).status).toBe(200);
  });

  it('ends the sessions of a user', async () => {
    const ada = await createUser();
    await ada.signInAgain();

    expect(await closingMs(ada, 'end-sessions')).toBeLessThan(inTime);
    expect((await ada.get('/auth/me')).body.code).toBe('token_revoked');
    expect((await admin('end-sessions', ada.email)).stdout).toBe(`Ended 0 sessions of ${ada.email}.\n`);
  });

  it('prints a link that sets a new password, and does not verify the address', async () => {
    const ada = await createUser();
    const { stdout } = await admin('reset-link', ada.email);
    const [, token] = /^http\S+\/reset-password#token=(\S+)\n$/.exec(stdout)!;
    const password = 'another long pass phrase';

    expect((await sessionless.post('/auth/password/reset', { token, password })).status).toBe(204);
    const { body } = await sessionless.post<Thing>('/auth/login', { email: ada.email, password });
    ada.tokens.access_token = String(body.access_token);
    expect((await ada.get('/auth/me')).body).toMatchObject({ email_verified: false });
  });

  it('explains itself and exits with 2 for wrong arguments', async () => {
    const wrong = [
      [],
      ['grant'],
      ['promote', 'ada@example.com'],
      ['grant', 'ada@example.com', 'bob@example.com'],
      ['list', 'ada@example.com'],
      ['grant', '--force', 'ada@example.com'],
      ['toString', 'ada@example.com'],
    ];
    const outcomes = await Promise.all(wrong.map((parameters) => admin(...parameters)));

    const usage = `Usage: npm run admin -- <command> <email>

  grant <email>         make the user an administrator
  revoke <email>        take the role away again
  disable <email>       sign the user out and refuse logins
  enable <email>        allow logins again
  end-sessions <email>  sign the user out everywhere
  reset-link <email>    print a link that sets a new password, good for 30 minutes
  list [--all]          list administrators, or all users: id, email, username, role, state
`;
    for (const { code, stdout, stderr } of outcomes)
      expect([code, stdout, stderr.trimEnd()]).toEqual([2, '', usage.trimEnd()]);
  });

  it('exits with 1 for an unknown address', async () => {
    expect(await admin('disable', 'nobody@example.com')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'There is no user with the email address nobody@example.com.\n',
    });
  });
});
