import { afterEach, describe, expect, it } from '@jest/globals';
import { PlayedRedis, type RedisValue } from '../../../test/support/infrastructure/played-redis.js';
import { until } from '../../../test/support/infrastructure/until.js';
import { parseRedisUrl, type RedisAddress } from '../../env/rules/redis-url.js';
import { findPrimary, HASH_TAG, verifyPrimary } from './find-primary.js';

type ManyHosts = Exclude<RedisAddress, { kind: 'server' }>;
const SLOT = 5000;
/** Nobody listens there. */
const NO_SERVER = '127.0.0.1:1';

const servers: PlayedRedis[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

async function play(answer: (command: string[]) => RedisValue | undefined): Promise<PlayedRedis> {
  const server = await PlayedRedis.start(answer);
  servers.push(server);
  return server;
}

const find = (url: string) => findPrimary(parseRedisUrl(url) as ManyHosts);
const at = ({ port }: PlayedRedis) => `127.0.0.1:${port}`;

function clientOf(server: PlayedRedis) {
  return {
    sendCommand: async <T>(command: string[]) => {
      const answer = server.answer(command);
      if (answer instanceof Error) throw answer;
      return answer as T;
    },
  };
}

describe('With Sentinel', () => {
  const primary = ['10.0.0.7', '6380'];
  const sentinel = (names: Record<string, string[]>) =>
    play(([command, , name]) => (command === 'SENTINEL' ? (names[name!] ?? null) : 'OK'));

  it('finds the primary by its name', async () => {
    const server = await sentinel({ main: primary, other: ['10.0.0.8', '6381'] });

    expect(await find(`redis+sentinel://${at(server)}/main/3`)).toEqual({
      database: 3,
      socket: { host: '10.0.0.7', port: 6380 },
    });

    expect(server.commands.at(-1)).toEqual(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main']);
    await until(() => server.connections === 0);
  });

  it('needs one of the hosts only', async () => {
    const [stranger, silent, good] = [
      await sentinel({}),
      await play(() => undefined),
      await sentinel({ main: primary }),
    ];

    const found = await find(`redis+sentinel://${NO_SERVER},${at(stranger)},${at(silent)},${at(good)}/main`);

    expect(found.socket).toMatchObject({ host: '10.0.0.7', port: 6380 });
  });

  it('fails if none knows the primary', async () => {
    const server = await sentinel({ other: primary });

    await expect(find(`redis+sentinel://${at(server)}/main`)).rejects.toThrow(
      'Sentinel does not know this primary',
    );
  });

  it('fails with the error of the first host', async () => {
    const server = await sentinel({});

    await expect(find(`redis+sentinel://${NO_SERVER},${at(server)}/main`)).rejects.toThrow('ECONNREFUSED');
  });

  it('fails if no host answers within two seconds', async () => {
    const server = await play(() => undefined);

    await expect(find(`redis+sentinel://${at(server)}/main`)).rejects.toThrow();
    await until(() => server.connections === 0);
  }, 8000);

  it('asks nothing without TLS if the URL demands it', async () => {
    const server = await sentinel({ main: primary });

    await expect(find(`rediss+sentinel://:s3cret@${at(server)}/main`)).rejects.toThrow();
    expect(JSON.stringify(server.commands)).not.toMatch(/SENTINEL|s3cret/);
  }, 8000);

  it('uses the credentials for Sentinel and the primary', async () => {
    const server = await sentinel({ main: primary });
    server.answer = (command) => {
      if (command[0] !== 'SENTINEL') return 'OK';
      return server.commands.some((each) => each.join(' ') === 'HELLO 3 AUTH ada s3cret')
        ? primary
        : new Error('NOAUTH');
    };

    expect(await find(`redis+sentinel://ada:s3cret@${at(server)}/main`)).toMatchObject({
      username: 'ada',
      password: 's3cret',
    });
  });

  it('asks Sentinels without credentials too, and uses them for the primary', async () => {
    const server = await play(([command, ...parameters]) => {
      if (parameters.includes('AUTH')) return new Error('ERR AUTH called without any password configured');
      return command === 'SENTINEL' ? primary : 'OK';
    });

    expect(await find(`redis+sentinel://:s3cret@${at(server)}/main`)).toEqual({
      password: 's3cret',
      database: 0,
      socket: { host: '10.0.0.7', port: 6380 },
    });
  });

  it('verifies that a server is the primary', async () => {
    const server = (role: string) =>
      play(([command]) => (command === 'ROLE' ? [role, 0, []] : new Error('ERR')));

    await verifyPrimary(clientOf(await server('master')), 'sentinel');
    await expect(verifyPrimary(clientOf(await server('slave')), 'sentinel')).rejects.toThrow('the primary');
  });
});

describe('With a Cluster', () => {
  const node = (host: string | null, port: number, id: string) => [host, port, id];
  const cluster = (ranges: RedisValue[], ownId = '') =>
    play(([command, sub, tag]) => {
      if (command !== 'CLUSTER') return 'OK';
      if (sub === 'KEYSLOT') return tag === HASH_TAG ? SLOT : 0;
      return sub === 'SLOTS' ? ranges : ownId;
    });

  it.each([
    { name: 'within a range', range: [4000, 6000] },
    { name: 'at the start of a range', range: [SLOT, 6000] },
    { name: 'at the end of a range', range: [4000, SLOT] },
  ])('finds the owner of a slot $name', async ({ range }) => {
    const server = await cluster([
      [0, range[0]! - 1, node('10.0.0.1', 7001, 'a')],
      [...range, node('10.0.0.2', 7002, 'b'), node('10.0.0.9', 7009, 'replica')],
      [range[1]! + 1, 16_383, node('10.0.0.3', 7003, 'c')],
    ]);

    expect(await find(`redis+cluster://:s3cret@${at(server)}`)).toEqual({
      password: 's3cret',
      database: 0,
      socket: { host: '10.0.0.2', port: 7002 },
    });
    expect(server.commands).toContainEqual(['HELLO', '3', 'AUTH', 'default', 's3cret']);
  });

  it('takes an owner without an address for the server itself', async () => {
    const server = await cluster([[0, 16_383, node('', 7002, 'b')]]);

    expect((await find(`redis+cluster://${at(server)}`)).socket).toMatchObject({
      host: '127.0.0.1',
      port: 7002,
    });
  });

  it('fails if no server has the slot', async () => {
    const server = await cluster([[SLOT + 1, 16_383, node('10.0.0.2', 7002, 'b')]]);

    await expect(find(`redis+cluster://${at(server)}`)).rejects.toThrow(
      'The Cluster has no server for this slot',
    );
  });

  it('verifies that the server has the slot', async () => {
    const server = (id: string) => cluster([[0, 16_383, node('10.0.0.2', 7002, 'b')]], id);

    await verifyPrimary(clientOf(await server('b')), 'cluster');
    await expect(verifyPrimary(clientOf(await server('c')), 'cluster')).rejects.toThrow('the primary');
  });
});

it('verifies a fixed server by its answer', async () => {
  const answers = (value: RedisValue) =>
    play(([command]) => (command === 'PING' ? value : new Error('unexpected')));

  await verifyPrimary(clientOf(await answers('PONG')), 'server');
  await expect(verifyPrimary(clientOf(await answers(new Error('LOADING'))), 'server')).rejects.toThrow(
    'LOADING',
  );
});
