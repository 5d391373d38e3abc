import { expect, it } from '@jest/globals';
import { parseRedisUrl } from './redis-url.js';

it('leaves the URL of a server to the client library', () => {
  const url = 'rediss://ada:pw@cache:6390/1';
  expect(parseRedisUrl(url)).toEqual({ kind: 'server', url });
});

it('reads hosts, credentials, the primary and the database of Sentinel', () => {
  expect(parseRedisUrl('rediss+sentinel://ada:p%40%2Fw@one:1,[::1]:2,three/main/4')).toEqual({
    kind: 'sentinel',
    hosts: [
      { host: 'one', port: 1 },
      { host: '::1', port: 2 },
      { host: 'three', port: 26_379 },
    ],
    tls: true,
    username: 'ada',
    password: 'p@/w',
    primary: 'main',
    database: 4,
  });
});

it('reads hosts and a password of a Cluster', () => {
  expect(parseRedisUrl('redis+cluster://:pw@one,two:7000')).toMatchObject({
    kind: 'cluster',
    hosts: [
      { host: 'one', port: 6379 },
      { host: 'two', port: 7000 },
    ],
    tls: false,
    username: undefined,
    password: 'pw',
    database: 0,
  });
});
