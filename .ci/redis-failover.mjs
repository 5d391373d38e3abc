/**
 * Replaces the Redis server under two nodes, found by Sentinel over TLS and by a Cluster, while clients of every transport
 * chat. The primary is killed; in the Cluster, its successor then gives the slot away and leaves. Every text is exact, and
 * afterwards the nodes exchange events and share limits.
 * `node .ci/redis-failover.mjs [sentinel|cluster]…` runs some. Needs TEST_MYSQL_URL, and the Valkey that the services of
 * TEST_REDIS_URL unpacked.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import getPort from 'get-port';
import { createClient } from 'redis';
import { follow, overJson, Run } from './clients.mjs';
import * as cluster from './cluster.mjs';

const ROOT = join(process.env.SERVICES_DIR ?? join(homedir(), '.cache/test-services'), 'sid-valkey/usr');
const LIBRARIES = join(ROOT, 'lib/x86_64-linux-gnu');
const PASSWORD = 'of:the/test@';
const CREDENTIALS = `:${encodeURIComponent(PASSWORD)}`;
/** Until a server that does not respond is replaced. */
const DETECTION_MS = 1000;
const CHAT_MS = 1500;
/** As of a proxy with TLS. */
const HEADERS = { 'X-Forwarded-Proto': 'https' };

const SERVER = ['save ""', `requirepass ${PASSWORD}`, `masterauth ${PASSWORD}`];
const TLS = [
  `tls-cert-file ${cluster.work}/cert.pem`,
  `tls-key-file ${cluster.work}/key.pem`,
  `tls-ca-cert-file ${cluster.work}/cert.pem`,
  'tls-auth-clients no',
  'tls-replication yes',
];

class Valkey {
  constructor({ tls = false, password = PASSWORD } = {}) {
    Object.assign(this, { tls, password });
  }

  /** @param lines of the configuration file */
  async start(lines, ...options) {
    // A server of a Cluster also listens on the port plus 10,000.
    do this.port = await getPort();
    while (this.port > 55_000);
    const config = join(cluster.work, `${this.port}.conf`);
    const port = this.tls ? [...TLS, 'port 0', `tls-port ${this.port}`] : [`port ${this.port}`];
    writeFileSync(config, [...port, 'bind 127.0.0.1', `dir ${cluster.work}`, ...lines].join('\n'));
    const command = ['--library-path', LIBRARIES, join(ROOT, 'bin/valkey-server'), config, ...options];
    this.process = cluster.start([join(LIBRARIES, 'ld-linux-x86-64.so.2'), command], { stdio: 'ignore' });
    await cluster.until('Valkey answers', () => this.ask('PING'));
    return this;
  }

  async ask(...command) {
    const client = createClient({
      password: this.password ?? undefined,
      disableClientInfo: true,
      socket: { host: '127.0.0.1', port: this.port, tls: this.tls || undefined, reconnectStrategy: false },
    }).on('error', () => {});
    await client.connect();
    return client.sendCommand(command.map(String)).finally(() => client.destroy());
  }

  async kill() {
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }
}

/** A primary and a replica, watched by one Sentinel. */
async function startSentinel() {
  const primary = await new Valkey({ tls: true }).start(SERVER);
  const replica = await new Valkey({ tls: true }).start([...SERVER, `replicaof 127.0.0.1 ${primary.port}`]);
  const watch = [
    `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
    `sentinel auth-pass main ${PASSWORD}`,
    `sentinel down-after-milliseconds main ${DETECTION_MS}`,
    'sentinel failover-timeout main 5000',
  ];
  const sentinel = await new Valkey({ tls: true, password: null }).start(watch, '--sentinel');
  const replicas = () => sentinel.ask('SENTINEL', 'REPLICAS', 'main');
  await cluster.until('Sentinel knows the replica', async () =>
    JSON.stringify(await replicas()).includes(`"${replica.port}"`),
  );
  return {
    // The first does not respond.
    url: `rediss+sentinel://${CREDENTIALS}@127.0.0.1:1,127.0.0.1:${sentinel.port}/main`,
    async primary() {
      const [, port] = await sentinel.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main');
      return [primary, replica].find((server) => server.port === Number(port));
    },
  };
}

/** Two primaries; a third one with Parley's slot alone, and its replica. */
async function startCluster() {
  const options = ['cluster-enabled yes', `cluster-node-timeout ${DETECTION_MS}`];
  const start = (n) => new Valkey().start([...SERVER, ...options, `cluster-config-file nodes-${n}.conf`]);
  const servers = await Promise.all([0, 1, 2, 3].map(start));
  const [one, two, owner, replica] = servers;
  const slot = await one.ask('CLUSTER', 'KEYSLOT', 'parley');
  const ranges = [
    [one, 0, slot - 1],
    [two, slot + 1, 16_383],
    [owner, slot, slot],
  ];
  for (const [n, [server, from, to]] of ranges.entries()) {
    await server.ask('CLUSTER', 'SET-CONFIG-EPOCH', n + 1);
    await server.ask('CLUSTER', 'ADDSLOTSRANGE', from, to);
  }
  for (const server of [two, owner, replica]) await server.ask('CLUSTER', 'MEET', '127.0.0.1', one.port);
  const ownerId = await owner.ask('CLUSTER', 'MYID');
  await cluster.until('the replica follows', () => replica.ask('CLUSTER', 'REPLICATE', ownerId));
  const rangeOf = async (server) =>
    (await server.ask('CLUSTER', 'SLOTS')).find(([from, to]) => from <= slot && slot <= to);
  const isWhole = async (server) =>
    (await server.ask('CLUSTER', 'INFO')).includes('cluster_state:ok') &&
    (await rangeOf(server)).length === 4;
  for (const server of servers) await cluster.until('the Cluster is whole', () => isWhole(server));
  await cluster.until('the replica is in step', async () =>
    (await replica.ask('INFO', 'replication')).includes('master_link_status:up'),
  );
  return {
    url: `redis+cluster://${CREDENTIALS}@${servers.map(({ port }) => `127.0.0.1:${port}`).join()}`,
    async primary() {
      const [, , [, port]] = await rangeOf(one);
      return servers.find((server) => server.port === port);
    },
    leave: () => leaveCluster(replica, one, two, slot),
  };
}

/** Moves the only slot of a server to another one, and takes the server out of the Cluster. */
async function leaveCluster(server, target, other, slot) {
  const [id, targetId] = await Promise.all([server, target].map((one) => one.ask('CLUSTER', 'MYID')));
  await target.ask('CLUSTER', 'SETSLOT', slot, 'IMPORTING', id);
  await server.ask('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
  const migrate = ['MIGRATE', '127.0.0.1', target.port, '', 0, 5000, 'AUTH', PASSWORD, 'KEYS'];
  for (let keys; (keys = await server.ask('CLUSTER', 'GETKEYSINSLOT', slot, 100)).length > 0;)
    await server.ask(...migrate, ...keys);
  // The server learns it from them, and becomes a replica.
  for (const one of [target, other]) await one.ask('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
  for (const one of [target, other]) await one.ask('CLUSTER', 'FORGET', id);
  await server.ask('CLUSTER', 'RESET', 'SOFT');
  await cluster.until('no node is connected to the server that left', async () => {
    return !(await server.ask('CLIENT', 'LIST')).includes('lib-name=node-redis');
  });
}

/** A client of one node receives a reply of the other while it runs. */
async function checkEvents([from, to], { token }, model) {
  let release;
  model.release = new Promise((resolve) => (release = resolve));
  const id = await newConversation(from, token);
  let joined = false;
  let deltas = 0;
  const events = { onJoin: () => (joined = true), onDelta: () => deltas++ };
  const followed = follow({ url: to, token, id, headers: HEADERS, ...events });
  await cluster.until('the client follows', async () => joined);
  const answered = send(from, token, id);
  await cluster.until('a delta of the other node', async () => deltas > 0, 10);
  release();
  assert.equal(await followed, (await answered).content);
  model.release = undefined;
}

/** Requests to both nodes count as two. */
async function checkLimits(addresses, { token }, server) {
  await server.ask('FLUSHALL');
  for (const url of addresses) await cluster.call(url, '/auth/me', { token, headers: HEADERS });
  const keys = await server.ask('KEYS', '{parley}:*:limit:*');
  const counts = await Promise.all(keys.map((key) => server.ask('GET', key)));
  assert.ok(counts.includes('2'), `${keys}: ${counts}`);
}

const newConversation = async (url, token) =>
  (await cluster.call(url, '/conversations/create', { token, body: {}, headers: HEADERS })).id;

async function send(url, token, id) {
  const body = { content: 'Hi', client_message_id: randomUUID() };
  return (await overJson({ url, token, id, headers: HEADERS }, body)).message;
}

/** Follows replies of one node on the other until the run is over. @returns how many */
async function followAcross([from, to], { token }, run) {
  for (let replies = 0; ; replies++) {
    if (run.isOver) return replies;
    const id = await newConversation(from, token);
    const followed = follow({ url: to, token, id, headers: HEADERS, onDelta: () => {} });
    const { content, status } = await send(from, token, id);
    assert.equal(status, 'complete');
    assert.equal(await followed, content);
  }
}

async function isUp(url) {
  const { parts } = await cluster.call(url, '/health/ready', { headers: HEADERS });
  return parts.redis === 'up';
}

async function check(name, startRedis, model) {
  const redis = await startRedis();
  const { url, addresses } = await cluster.startBehindHaproxy({
    ...cluster.settings(await cluster.createDatabase(), model),
    REDIS_URL: redis.url,
    RATE_LIMIT_SCALE: '100',
    NODE_EXTRA_CA_CERTS: join(cluster.work, 'cert.pem'),
    NODE_TLS_REJECT_UNAUTHORIZED: '1',
    LOG_LEVEL: 'silent',
  });
  const both = [addresses, addresses.toReversed()];
  const account = await cluster.signUp(url, model);
  const run = new Run();
  const everybody = [run.chat(url, account), ...both.map((pair) => followAcross(pair, account, run))];

  const failOver = async () => {
    await delay(CHAT_MS);
    const killed = await redis.primary();
    await killed.kill();
    const since = Date.now();
    await cluster.until('another primary', async () => (await redis.primary()) !== killed);
    for (const address of addresses) await cluster.until('Redis is up', () => isUp(address));
    const outageMs = Date.now() - since;
    await redis.leave?.();
    await delay(CHAT_MS);
    return outageMs;
  };
  const outageMs = await Promise.race([failOver(), Promise.all(everybody)]);
  run.isOver = true;
  const [, ...followed] = await Promise.all(everybody);
  const replies = await run.compare(url, account);
  assert.equal(run.interrupted, 0, 'interrupted replies');
  for (const pair of both) await checkEvents(pair, account, model);
  await checkLimits(addresses, account, await redis.primary());
  console.log(
    `✓ ${name}: ${replies} replies, and ${followed} followed on the other node, over a failover of ${outageMs} ms`,
  );
}

const ALL = { sentinel: startSentinel, cluster: startCluster };

await cluster.main(async () => {
  cluster.makeCertificate();
  const model = await cluster.startModel();
  Object.assign(model, { words: 60, pauseMs: 40 });
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(ALL);
  for (const name of names) await check(name, ALL[name], model);
});
