/** The built server as a process (`npm run build`). */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../support/infrastructure/until.js';
import { type Exit, ServerProcess } from '../support/app/server-process.js';

let folder: string;
const started: ServerProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-process-'));
});
afterEach(() => Promise.all(started.splice(0).map((server) => server.close())));
afterAll(() => rm(folder, { recursive: true, force: true }));

function start(env?: NodeJS.ProcessEnv, nodeOptions?: readonly string[]): ServerProcess {
  const server = new ServerProcess(folder, env, nodeOptions);
  started.push(server);
  return server;
}

const failToStart = (env: NodeJS.ProcessEnv): Promise<Exit> => start(env).exited;

describe('a start that cannot succeed', () => {
  it('reports all faults of the environment', async () => {
    const { code, stderr } = await failToStart({ NODE_ENV: 'production', PORT: 'x' });

    expect(code).toBe(1);
    for (const name of ['PORT', 'JWT_SECRETS', 'ENCRYPTION_KEYS']) expect(stderr).toContain(`- ${name} `);
    expect(stderr).not.toContain('    at ');
  });

  it.each(['PORT', 'METRICS_PORT'])('names the port in use (%s)', async (variable) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;

    const { code, stderr } = await failToStart({ [variable]: String(port) });
    other.close();
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`port ${port} is taken. Choose another with ${variable}.`),
    ]);
  });

  it('names the unavailable database, without its password', async () => {
    const server = start({ DATABASE_URL: 'mysql://parley:planted@127.0.0.1:1/parley' });
    const { code, stderr } = await server.exited;

    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('mysql://127.0.0.1:1/parley cannot be reached'),
    ]);
    expect(stderr + server.log.text).not.toContain('planted');
  });

  it('reports pending migrations', async () => {
    const { code, stderr } = await failToStart({
      MIGRATE_ON_START: 'false',
      DATABASE_URL: 'sqlite:unmigrated.db',
    });

    expect([code, stderr]).toEqual([1, expect.stringContaining('not migrated')]);
  });
});

/** V8 keeps 40 MB more since Node 22. */
const IDLE_MEGABYTES = Number(process.versions.node.split('.')[0]) < 22 ? 140 : 180;

it(`the idle server uses less than ${IDLE_MEGABYTES} MB, and loads OpenTelemetry’s API without its SDK`, async () => {
  const collectsOnSignal = `data:text/javascript,
    import module from 'node:module';
    process.on('SIGUSR2', () => {
      gc();
      console.log('Loaded ' + Object.keys(module._cache).join().match(/@opentelemetry.[\\w-]+/g));
    });`.replaceAll('\n', ' ');
  const server = start({}, ['--expose-gc', '--import', collectsOnSignal]);
  await server.url();

  // V8 returns the memory of the start 8 s later, or after half a minute without collections.
  const isSmall = async () => {
    server.signal('SIGUSR2');
    return (await server.residentMegabytes()) < IDLE_MEGABYTES;
  };
  await until(isSmall, 20_000, 500);

  const { msg } = await server.log.until(({ msg }) => /^Loaded /.test(String(msg)));
  expect(new Set(String(msg).slice(7).split(','))).toEqual(new Set(['@opentelemetry/api']));
});

describe('the log', () => {
  /** MySQL server with a wrong sequence number in its first packet; mysql2 warns on the console. */
  async function confusedMysql() {
    const message = Buffer.from('\u00ff\u0010\u0004Too many connections', 'latin1');
    const packet = Buffer.concat([Buffer.from([message.length, 0, 0, 7]), message]);
    const server = createServer((socket) => void socket.on('error', () => undefined).end(packet));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  it('contains console output of mysql2 as a line', async () => {
    const mysql = await confusedMysql();
    const { port } = mysql.address() as AddressInfo;
    const server = start({ DATABASE_URL: `mysql://root@127.0.0.1:${port}/parley` });
    const { stderr } = await server.exited;
    mysql.close();

    expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/^Parley cannot start: /)]);
    expect(server.log.filter(({ context }) => context === 'Console')).toContainEqual(
      expect.objectContaining({ level: 'error', msg: expect.stringContaining('packets out of order') }),
    );
  });

  const script = `
    const failure = Object.assign(new Error('Failed'), { parameters: ['planted'] });
    const write = () => {
      console.log('a %s\\nof %d', 'text', 2);
      console.warn(failure, { key: 'planted' });
      console.dir({ key: 'planted' });
      console.error('x'.repeat(10000));
      process.emitWarning('Careful');
    };
    setTimeout(() => process.once('SIGUSR2', write), 0);`;

  it('contains output of packages and Node as bounded lines, without object contents', async () => {
    await writeFile(join(folder, 'noise.mjs'), script);
    const server = start({ NODE_OPTIONS: `--import=${join(folder, 'noise.mjs')}` });
    await server.url();
    server.signal('SIGUSR2');
    await server.log.until(({ context }) => context === 'Node');
    const lines = server.log.filter(({ context }) => context === 'Console');
    server.signal('SIGTERM');

    expect(await server.exited).toEqual({ code: 0, stderr: '' });
    expect(lines).toEqual([
      expect.objectContaining({ level: 'info', msg: 'a text\nof 2' }),
      expect.objectContaining({ level: 'warn', msg: 'Failed (object)', error: expect.anything() }),
      expect.objectContaining({ level: 'info', msg: '(object)' }),
      expect.objectContaining({ level: 'error', msg: 'x'.repeat(2000) }),
    ]);
    expect(server.log.text).not.toContain('planted');
    expect(server.log.filter(({ context }) => context === 'Node')).toEqual([
      expect.objectContaining({ level: 'warn', error: expect.objectContaining({ message: 'Careful' }) }),
    ]);
  });
});

describe('SIGTERM', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('ends the process with 0 (%s)', async (signal) => {
    const server = start();
    await server.url();
    server.signal(signal);

    expect(await server.exited).toEqual({ code: 0, stderr: '' });
  });

  it('completes the current request, and does not wait for keep-alive connections', async () => {
    const server = start();
    const url = await server.url();
    const agent = new Agent({ keepAlive: true });
    const idle = httpRequest(`${url}/health/live`, { agent }).end();
    const [answer] = await once(idle, 'response');
    await once(answer.resume(), 'end');

    const body = JSON.stringify({ email: 'nobody@example.com', password: 'wrong-password' });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
    const late = httpRequest(`${url}/auth/login`, {
      method: 'POST',
      headers,
      agent: new Agent({ keepAlive: true }),
    });
    late.write(body.slice(0, 10));
    await once(late, 'socket');
    await fetch(`${url}/health/live`);
    server.signal('SIGTERM');
    await server.log.until(({ msg }) => msg === 'Shutting down');
    late.end(body.slice(10));

    const [response] = await once(late, 'response');
    expect(response.statusCode).toBe(401);
    response.resume();
    expect((await server.exited).code).toBe(0);
    agent.destroy();
  });

  it('ends the process at once when sent twice', async () => {
    const server = start();
    const { hostname, port } = new URL(await server.url());
    const stuck = connect(Number(port), hostname);
    stuck.on('error', () => undefined);
    stuck.write(
      'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    );
    await once(stuck, 'ready');
    await fetch(`http://${hostname}:${port}/health/live`);
    server.signal('SIGTERM');
    await server.log.until(({ msg }) => msg === 'Shutting down');
    server.signal('SIGTERM');

    expect((await server.exited).code).toBe(143);
    stuck.destroy();
  });
});
