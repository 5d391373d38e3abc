/**
 * Fails over twice from a MySQL primary to its replica under two nodes, with GTIDs: the connection between the servers is
 * cut, the primary killed, the replica promoted, and the nodes' address moved to it. Acknowledged messages are lost with
 * asynchronous replication. With semi-synchronous replication, while clients of every transport chat, none is lost and
 * every text is exact.
 * Needs TEST_REDIS_URL, and the MySQL that the services of TEST_MYSQL_URL unpacked.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import getPort from 'get-port';
import mysql from 'mysql2/promise';
import { Run } from './clients.mjs';
import * as cluster from './cluster.mjs';

const ROOT = join(process.env.SERVICES_DIR ?? join(homedir(), '.cache/test-services'), 'sid-mysql');
const LAG_MS = 400;
/** Until an operator's monitor notices. */
const DETECTION_MS = 1500;
const CHAT_MS = 2000;
/** Of each of the four transports. */
const CLIENTS = 2;
/** Messages sent while the replica is cut off. */
const SENDS = 5;
const CUT_MS = 1500;

/** As in docs/operations.md. */
const REPLICATED = [
  '--gtid-mode=ON',
  '--enforce-gtid-consistency=ON',
  '--log-bin=binlog',
  '--sync-binlog=1',
  '--plugin-load-add=semisync_source.so',
  '--plugin-load-add=semisync_replica.so',
  '--rpl-semi-sync-source-timeout=4294967295',
];

class Server {
  constructor(name, port) {
    Object.assign(this, { name, port, data: join(cluster.work, name) });
  }

  /** Runs the unpacked server on its own loader and libraries, as the services do. */
  command(options) {
    const loader = join(ROOT, 'usr/lib64/ld-linux-x86-64.so.2');
    const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu', 'usr/lib/mysql/private'];
    const paths = ['--library-path', libraries.map((folder) => join(ROOT, folder)).join(':')];
    const folders = [
      `--basedir=${ROOT}/usr`,
      `--datadir=${this.data}`,
      `--plugin-dir=${ROOT}/usr/lib/mysql/plugin`,
    ];
    const fixed = [
      '--no-defaults',
      '--secure-file-priv=NULL',
      '--user=root',
      `--lc-messages-dir=${ROOT}/usr/share/mysql`,
      ...folders,
    ];
    return [loader, [...paths, join(ROOT, 'usr/sbin/mysqld'), ...fixed, ...options]];
  }

  async initialize() {
    await promisify(execFile)(...this.command(['--initialize-insecure', '--skip-log-bin']));
  }

  async start(options) {
    const log = openSync(join(cluster.work, `${this.name}.log`), 'w');
    const own = [
      `--port=${this.port}`,
      '--bind-address=127.0.0.1',
      `--socket=${this.data}.sock`,
      '--mysqlx=OFF',
    ];
    this.process = cluster.start(this.command([...own, ...REPLICATED, ...options]), {
      stdio: ['ignore', log, log],
    });
    await cluster
      .until(`${this.name} answers`, () => this.query('SELECT 1'))
      .catch((error) => {
        throw new Error(readFileSync(join(cluster.work, `${this.name}.log`), 'utf8').slice(-2000), {
          cause: error,
        });
      });
  }

  async query(...statements) {
    const connection = await mysql.createConnection(`mysql://root@127.0.0.1:${this.port}/`);
    try {
      let rows;
      for (const statement of statements) [rows] = await connection.query(statement);
      return rows;
    } finally {
      await connection.end();
    }
  }
}

/** Forwards connections to `target`, as a virtual address does. `lagMs` delays what the target sends. */
class Address {
  lagMs = 0;
  isCut = false;
  #connections = new Set();

  async listen(target) {
    this.target = target;
    this.server = createServer((client) => this.#forward(client)).listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this.server.address().port;
  }

  /** Drops what the target sends, without closing connections. */
  cut() {
    this.isCut = true;
  }

  move(target) {
    this.target = target;
    for (const connection of this.#connections) connection.destroy();
  }

  #forward(client) {
    const server = connect(this.target, '127.0.0.1');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      this.#connections.add(from);
      from.on('error', () => {}).on('close', () => this.#connections.delete(from) && to.destroy());
    }
    client.pipe(server);
    server.on('data', (data) =>
      setTimeout(() => client.writable && !this.isCut && client.write(data), this.lagMs),
    );
  }
}

/** Three servers with the same data and options, the first of which may write. */
async function startServers() {
  const servers = [];
  for (const name of ['first', 'second', 'third']) servers.push(new Server(name, await getPort()));
  const [first, ...others] = servers;
  await first.initialize();
  for (const { data } of others) {
    cpSync(first.data, data, { recursive: true });
    rmSync(join(data, 'auto.cnf'), { force: true });
  }
  await Promise.all(
    servers.map((server, n) =>
      server.start([`--server-id=${n + 1}`, ...(server === first ? [] : ['--super-read-only'])]),
    ),
  );
  await first.query(
    "CREATE USER replication IDENTIFIED BY 'secret'",
    'GRANT REPLICATION SLAVE ON *.* TO replication',
  );
  return servers;
}

/** Has `replica` follow `source`, which starts to wait for it. @returns the connection between them */
async function replicate(source, replica, { semiSynchronous }) {
  const link = new Address();
  const port = await link.listen(source.port);
  await replica.query(
    'STOP REPLICA',
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=${port}, SOURCE_USER='replication',
     SOURCE_PASSWORD='secret', GET_SOURCE_PUBLIC_KEY=1, SOURCE_AUTO_POSITION=1`,
    `SET GLOBAL rpl_semi_sync_replica_enabled = ${semiSynchronous ? 'ON' : 'OFF'}`,
    'START REPLICA',
  );
  await source.query(`SET GLOBAL rpl_semi_sync_source_enabled = ${semiSynchronous ? 'ON' : 'OFF'}`);
  await cluster.until('the replica is in step', () => isInStep(source, replica));
  const [{ Value }] = await source.query("SHOW STATUS LIKE 'Rpl_semi_sync_source_clients'");
  assert.equal(Number(Value), semiSynchronous ? 1 : 0);
  return link;
}

async function isInStep(source, replica) {
  const [{ gtids }] = await source.query('SELECT @@GLOBAL.gtid_executed AS gtids');
  const wait = `SELECT WAIT_FOR_EXECUTED_GTID_SET('${oneLine(gtids)}', 1) AS late`;
  return (await replica.query(wait))[0].late === 0;
}

const oneLine = (gtids) => gtids.replaceAll('\n', '');

/** Applies what the replica has received, and lets it write. */
async function promote(replica) {
  const [{ received }] = await replica.query(
    'STOP REPLICA IO_THREAD',
    'SELECT received_transaction_set AS received FROM performance_schema.replication_connection_status',
  );
  await replica.query(
    `SELECT WAIT_FOR_EXECUTED_GTID_SET('${oneLine(received)}', 10)`,
    'STOP REPLICA',
    'RESET REPLICA ALL',
    'SET GLOBAL super_read_only = OFF',
    'SET GLOBAL read_only = OFF',
  );
}

/** Kills the primary, and moves the nodes' address to its promoted replica. @returns how long no node could write */
async function failOver({ primary, replica, address, url }) {
  primary.process.kill('SIGKILL');
  const since = Date.now();
  await delay(DETECTION_MS);
  await promote(replica);
  address.move(replica.port);
  await cluster.until('a node can write', async () => (await fetch(`${url}/health/ready`)).ok);
  return Date.now() - since;
}

/** Sends a message to each conversation. @returns the conversations that acknowledged it, a growing list */
function sendTo(conversations, url, { token }) {
  const acknowledged = [];
  for (const id of conversations) {
    sendOne(`${url}/conversations/${id}/chat`, token).then(
      (isAcknowledged) => isAcknowledged && acknowledged.push(id),
      () => {}, // not acknowledged
    );
  }
  return acknowledged;
}

/** Ends with the first event: the message is stored. */
async function sendOne(url, token) {
  const headers = { 'Content-Type': 'application/json', Accept: 'text/event-stream' };
  const body = JSON.stringify({ content: 'Hi' });
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...headers, Authorization: `Bearer ${token}` },
    body,
  });
  for await (const piece of response.body.pipeThrough(new TextDecoderStream()))
    if (piece.includes('message.created')) return true;
}

/** Messages that the primary acknowledges and its replica does not receive are lost with the primary. */
async function loseMessages({ link, url, account, ...servers }) {
  const conversations = await startConversations(url, account);
  await cluster.until('the replica is in step', () => isInStep(servers.primary, servers.replica));
  link.cut();
  const acknowledged = sendTo(conversations, url, account);
  await cluster.until('every message is acknowledged', async () => acknowledged.length === SENDS);
  await failOver({ ...servers, url });
  for (const id of conversations) {
    const { messages } = await cluster.call(url, `/conversations/${id}`, account);
    assert.deepEqual(messages, [], 'an acknowledged message that the replica has not received');
  }
}

/** Every commit has waited, as docs/operations.md tells an operator to check. */
async function checkWaitsForReplica(primary) {
  const rows = await primary.query("SHOW STATUS LIKE 'Rpl_semi_sync_source_%'");
  const status = Object.fromEntries(rows.map(({ Variable_name, Value }) => [Variable_name, Value]));
  assert.equal(status.Rpl_semi_sync_source_status, 'ON');
  assert.equal(status.Rpl_semi_sync_source_no_tx, '0');
}

/** No message is acknowledged that the replica does not receive. */
async function refuseToAcknowledge({ link, url, account, primary }) {
  const conversations = await startConversations(url, account);
  link.cut();
  const acknowledged = sendTo(conversations, url, account);
  await delay(CUT_MS);
  const [{ Value }] = await primary.query("SHOW STATUS LIKE 'Rpl_semi_sync_source_wait_sessions'");
  assert.ok(Number(Value) > 0, 'no commit waits for the replica');
  assert.deepEqual(acknowledged, [], 'acknowledged, but not received by the replica');
}

const startConversations = (url, { token }) =>
  Promise.all(Array.from({ length: SENDS }, () => cluster.newConversation(url, token)));

/** Clients of every transport chat, and compare afterwards. */
async function keepMessages({ link, url, account, model, ...servers }) {
  Object.assign(model, { words: 20, pauseMs: 50 });
  const run = new Run();
  const chats = run.chat(url, account, CLIENTS);
  const everybodyChats = () =>
    run.conversations.length === 4 * CLIENTS && run.conversations.every(({ seen }) => seen.length > 0);
  const failedOver = (async () => {
    await cluster.until('every client has a reply', async () => everybodyChats());
    link.lagMs = LAG_MS;
    await delay(CHAT_MS);
    await checkWaitsForReplica(servers.primary);
    await refuseToAcknowledge({ link, url, account, primary: servers.primary });
    const outageMs = await failOver({ ...servers, url });
    await delay(CHAT_MS);
    return outageMs;
  })();
  const outageMs = await Promise.race([failedOver, chats]);
  run.isOver = true;
  await chats;
  const replies = await run.compare(url, account);
  return `${replies} replies over an outage of ${outageMs} ms: no message lost, ${run.interrupted} replies interrupted`;
}

await cluster.main(async () => {
  const [first, second, third] = await startServers();
  const address = new Address();
  const port = await address.listen(first.port);
  cluster.makeCertificate();
  const model = await cluster.startModel();
  Object.assign(model, { words: 1 });
  const link = await replicate(first, second, { semiSynchronous: false });
  const database = await cluster.createDatabase(`mysql://root@127.0.0.1:${port}`);
  const settings = { ...cluster.settings(database, model), LOG_LEVEL: 'silent' };
  const { url } = await cluster.startBehindHaproxy(settings);
  const account = await cluster.signUp(url, model);
  const common = { address, url, account, model };

  await loseMessages({ ...common, primary: first, replica: second, link });
  console.log(`✓ asynchronous replication: ${SENDS} acknowledged messages lost`);

  const next = await replicate(second, third, { semiSynchronous: true });
  const result = await keepMessages({ ...common, primary: second, replica: third, link: next });
  console.log(`✓ semi-synchronous replication: ${result}`);
});
