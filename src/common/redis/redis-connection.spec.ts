import { afterEach, expect, it } from '@jest/globals';
import { PlayedRedis } from '../../../test/support/infrastructure/played-redis.js';
import { until } from '../../../test/support/infrastructure/until.js';
import { RedisConnection } from './redis-connection.js';

let server: PlayedRedis;
afterEach(() => server.close());

it('closes each connection to a server that is not the primary', async () => {
  server = await PlayedRedis.start(([command]) => {
    if (command === 'SENTINEL') return ['127.0.0.1', String(server.port)];
    return command === 'ROLE' ? ['slave', '10.0.0.7', 6379, 'connected', 0] : 'OK';
  });
  const connection = new RedisConnection(`redis+sentinel://127.0.0.1:${server.port}/main`, {});
  const failures: Error[] = [];
  connection.on('error', (error) => failures.push(error));

  connection.connect();
  await until(() => failures.length >= 3);
  const { connections } = server;
  connection.close();

  expect(failures.map(({ message }) => message)).toEqual(
    Array(failures.length).fill(expect.stringMatching(/primary/)),
  );
  expect(connections).toBeLessThan(3);
  await until(() => server.connections === 0);
});
