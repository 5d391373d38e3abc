/**
 * Measures the figures behind the sizing table of docs/operations.md: CPU, memory, database and Redis per token, socket,
 * reply and message. On the build; TEST_REDIS_URL and TEST_MYSQL_URL add the figures of several nodes:
 *
 *   node bench/sizing.mjs [idle sockets, 10000 by default] [one|nodes|throughput|channels]…
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'redis';
import { Stage } from './support/stage.mjs';
import { percentile } from './support/stats.mjs';

const [sockets = 10_000, ...parts] = process.argv.slice(2);
const { TEST_MYSQL_URL: mysqlUrl, TEST_REDIS_URL: redisUrl } = process.env;
const REPLIES = 1000;
const IDLE_S = 30;
const CHANNELS = 100_000;
const PUBLISHES = 1000;

const has = (part) => parts.length === 0 || parts.includes(part);
let stage;
if (has('one')) await measureOne();
if (mysqlUrl && redisUrl && has('nodes')) await measureNodes();
if (mysqlUrl && redisUrl && has('throughput')) await measureThroughput();
if (redisUrl && has('channels')) await measureChannels();

async function measureOne() {
  stage = await Stage.open({ users: Math.max(Number(sockets), REPLIES) });
  try {
    await measureTokens();
    await measureSockets(Number(sockets));
    await measureReplies();
    await measureMessages();
  } finally {
    await stage.close();
  }
}

function print(what, figure, unit) {
  console.log(`${what.padEnd(60)} ${Number(figure.toPrecision(3))} ${unit}`);
}

async function measureTokens() {
  for (const kind of ['socket.io', 'sse', 'websocket']) {
    const { microsecondsAToken } = await stage.stream(kind, { streams: 100, model: 'paced-50', seconds: 5 });
    print(`CPU a token, ${kind}, 100 replies × 50/s`, microsecondsAToken, 'µs');
  }
  const { microsecondsAToken } = await stage.stream('socket.io', {
    streams: REPLIES,
    model: 'paced-5',
    seconds: 10,
  });
  print(`CPU a token, socket.io, ${REPLIES} replies × 5/s`, microsecondsAToken, 'µs');
}

async function measureSockets(sockets) {
  const before = await stage.parley.residentBytes();
  await stage.whileConnected('socket.io', stage.parley, sockets, async () => {
    print(`memory an idle socket, ${sockets} of them`, await growth(before, sockets), 'KB');
    const cpuMs = stage.parley.cpuMs();
    await delay(IDLE_S * 1000);
    print('CPU of all idle sockets', (stage.parley.cpuMs() - cpuMs) / IDLE_S / 10, '% of a core');
  });
}

async function measureReplies() {
  let before;
  await stage.whileStreaming(
    'socket.io',
    {
      streams: REPLIES,
      model: 'paced-5',
      connected: async () => (before = await stage.parley.residentBytes()),
    },
    async () => print('memory a running reply', await growth(before, REPLIES), 'KB'),
  );
}

async function growth(before, count) {
  return ((await stage.parley.residentBytes()) - before) / count / 1024;
}

/** Database bytes of a send and its reply beside their text. */
async function measureMessages() {
  const before = await databaseBytes();
  const textBefore = await textBytes();
  for (let round = 0; round < 4; round++) {
    await stage.whileStreaming('socket.io', { streams: REPLIES, model: 'paced-5' }, () => delay(1000));
  }
  const bytes = (await databaseBytes()) - before - ((await textBytes()) - textBefore);
  print('database of a message beside its text, SQLite', bytes / (2 * 4 * REPLIES), 'bytes');
}

async function textBytes() {
  const [{ text }] = await stage.database.query('SELECT SUM(LENGTH(content)) AS text FROM messages');
  return text;
}

async function databaseBytes() {
  await stage.database.query('PRAGMA wal_checkpoint(TRUNCATE)');
  const [{ page_count: pages }] = await stage.database.query('PRAGMA page_count');
  const [{ page_size: size }] = await stage.database.query('PRAGMA page_size');
  return pages * size;
}

/** Redis traffic of a token whose reply runs on another node than its client. */
async function measureNodes() {
  const nodes = await Stage.open({ mysqlUrl });
  const redis = await createClient({ url: redisUrl }).connect();
  const [here, there] = await Promise.all([1, 2].map(() => nodes.startParley({ REDIS_URL: redisUrl })));
  const peers = (await nodes.accounts.peers(100)).map((peer) => ({ ...peer, replyUrl: there.url }));
  const load = { streams: 100, model: 'paced-50', peers, url: here.url };
  let before;
  let after;
  const tokens = await nodes.whileStreaming('other node', load, async () => {
    before = await trafficOf(redis);
    await delay(5000);
    after = await trafficOf(redis);
  });
  print(
    'events published a token, 100 × 50/s, another node',
    (after.publishes - before.publishes) / tokens,
    '',
  );
  print('Redis traffic in and out a token', (after.bytes - before.bytes) / tokens, 'bytes');
  await redis.close();
  await nodes.close();
}

/** One node against three. All share this machine's cores with client and provider. */
async function measureThroughput() {
  const several = await Stage.open({ mysqlUrl });
  const all = await Promise.all([1, 2, 3].map(() => several.startParley({ REDIS_URL: redisUrl })));
  for (const streams of [300, REPLIES]) {
    for (const nodes of [all.slice(0, 1), all]) {
      const peers = (await several.accounts.peers(streams)).map((peer, n) => ({
        ...peer,
        url: nodes[n % nodes.length].url,
      }));
      const load = { streams, model: 'paced-50', peers, seconds: 5, under: nodes };
      const { microsecondsAToken, tokensASecond, busy } = await several.stream('socket.io', load);
      const what = `${nodes.length} nodes, ${streams} replies × 50/s:`;
      print(`${what} tokens a second`, tokensASecond, '');
      print(`${what} CPU a token`, microsecondsAToken, 'µs');
      print(`${what} cores used`, busy, '');
    }
  }
  await several.close();
}

async function trafficOf(redis) {
  const info = await redis.info('all');
  const read = (pattern) => Number(pattern.exec(info)?.[1] ?? 0);
  return {
    publishes: read(/^cmdstat_s?publish:calls=(\d+)/m),
    bytes: read(/^total_net_input_bytes:(\d+)/m) + read(/^total_net_output_bytes:(\d+)/m),
  };
}

/** Redis with a channel for each of many connected users. */
async function measureChannels() {
  const [publisher, subscriber] = await Promise.all(
    [1, 2].map(() => createClient({ url: redisUrl }).connect()),
  );
  const memory = async () => Number(/^used_memory:(\d+)/m.exec(await publisher.info('memory'))[1]);
  const before = await memory();
  let received;
  const names = Array.from({ length: CHANNELS }, (_, n) => `parley:sizing:events:${n}`);
  for (let at = 0; at < CHANNELS; at += 1000) {
    await subscriber.subscribe(names.slice(at, at + 1000), () => received());
  }
  print(`Redis memory a channel, ${CHANNELS} of them`, ((await memory()) - before) / CHANNELS, 'bytes');
  const times = [];
  for (let n = 0; n < PUBLISHES; n++) {
    const began = performance.now();
    const arrived = new Promise((resolve) => (received = resolve));
    await publisher.publish(names[(n * 97) % CHANNELS], 'x'.repeat(100));
    await arrived;
    times.push(performance.now() - began);
  }
  print('publish to receipt among them, p99', percentile(times, 99), 'ms');
  print(`subscribe to ${CHANNELS} channels at once, as after a failover`, await resubscribeMs(names), 'ms');
  await Promise.all([publisher.close(), subscriber.destroy()]);
}

async function resubscribeMs(names) {
  const client = await createClient({ url: redisUrl }).connect();
  const began = performance.now();
  await client.subscribe(names, () => {});
  const ms = performance.now() - began;
  client.destroy();
  return ms;
}
