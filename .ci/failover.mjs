/**
 * Fails over from a MySQL primary to its replica, with GTIDs and semi-synchronous replication, while clients of every
 * transport chat on two nodes: the primary is killed, the replica promoted, and the nodes' address moved to it. No
 * acknowledged message is lost, every text is exact.
 * Needs TEST_REDIS_URL, and the MySQL that the services of TEST_MYSQL_URL unpacked.
 */
import getPort from 'get-port';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
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
const SEMI_SYNCHRONOUS = process.env.REPLICATION !== 'asynchronous';

/** What docs/operations.md asks an operator for. */
const REPLICATED = ['--gtid-mode=ON', '--enforce-gtid-consistency=ON', '--log-bin=binlog', '--sync-binlog=1'];
const SOURCE = ['--plugin-load-add=semisync_source.so', '--rpl-semi-sync-source-timeout=4294967295'];
const REPLICA = [
  '--plugin-load-add=semisync_replica.so',
  '--rpl-semi-sync-replica-enabled=ON',
  '--super-read-only',
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
  #connections = new Set();

  async listen(target) {
    this.target = target;
    this.server = createServer((client) => this.#forward(client)).listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this.server.address().port;
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
    server.on('data', (data) => setTimeout(() => client.writable && client.write(data), this.lagMs));
  }
}

async function replicate() {
  const [primary, replica] = [new Server('primary', await getPort()), new Server('replica', await getPort())];
  await primary.initialize();
  cpSync(primary.data, replica.data, { recursive: true });
  rmSync(join(replica.data, 'auto.cnf'), { force: true });
  await Promise.all([
    primary.start(['--server-id=1', ...SOURCE]),
    replica.start(['--server-id=2', ...REPLICA]),
  ]);
  await primary.query(
    "CREATE USER replication IDENTIFIED BY 'secret'",
    'GRANT REPLICATION SLAVE ON *.* TO replication',
    // Afterwards, because a write waits for a replica.
    `SET GLOBAL rpl_semi_sync_source_enabled = ${SEMI_SYNCHRONOUS ? 'ON' : 'OFF'}`,
  );
  const link = new Address();
  const port = await link.listen(primary.port);
  await replica.query(
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=${port}, SOURCE_USER='replication',
     SOURCE_PASSWORD='secret', GET_SOURCE_PUBLIC_KEY=1, SOURCE_AUTO_POSITION=1`,
    'START REPLICA',
  );
  await cluster.until('the replica is connected', async () => {
    const [{ state }] = await replica.query(
      'SELECT service_state AS state FROM performance_schema.replication_connection_status',
    );
    const [{ Value }] = await primary.query("SHOW STATUS LIKE 'Rpl_semi_sync_source_clients'");
    return state === 'ON' && (Number(Value) > 0 || !SEMI_SYNCHRONOUS);
  });
  return { primary, replica, link };
}

/** Every commit since the replica connected has waited for it. */
async function checkWaitsForReplica(primary) {
  const rows = await primary.query("SHOW STATUS LIKE 'Rpl_semi_sync_source_%_tx'");
  const count = Object.fromEntries(rows.map(({ Variable_name, Value }) => [Variable_name, Number(Value)]));
  assert.ok(
    count.Rpl_semi_sync_source_yes_tx > 0 && count.Rpl_semi_sync_source_no_tx === 0,
    JSON.stringify(count),
  );
}

/** Applies what the replica has received, and lets it write. */
async function promote(replica) {
  const [{ received }] = await replica.query(
    'STOP REPLICA IO_THREAD',
    'SELECT received_transaction_set AS received FROM performance_schema.replication_connection_status',
  );
  await replica.query(
    `SELECT WAIT_FOR_EXECUTED_GTID_SET('${received.replaceAll('\n', '')}', 10)`,
    'STOP REPLICA',
    'RESET REPLICA ALL',
    'SET GLOBAL super_read_only = OFF',
    'SET GLOBAL read_only = OFF',
  );
}

await cluster.main(async () => {
  const { primary, replica, link } = await replicate();
  const address = new Address();
  const port = await address.listen(primary.port);
  cluster.makeCertificate();
  const model = await cluster.startModel();
  Object.assign(model, { words: 20, pauseMs: 50 });
  const database = await cluster.createDatabase(`mysql://root@127.0.0.1:${port}`);
  const ports = { nodes: [await getPort(), await getPort()] };
  Object.assign(ports, { http: await getPort(), https: await getPort() });
  const nodes = new cluster.Nodes(ports.nodes, { ...cluster.settings(database, model), LOG_LEVEL: 'silent' });
  await nodes.start(0);
  await nodes.start(1);
  const log = openSync(join(cluster.work, 'haproxy.log'), 'w');
  cluster.start(cluster.haproxy(ports), { stdio: ['ignore', log, log] });
  const url = `https://127.0.0.1:${ports.https}`;
  await cluster.until('HAProxy answers', async () => (await fetch(`${url}/health/ready`)).ok);

  const account = await cluster.signUp(url, model);
  const run = new Run();
  const chats = run.chat(url, account, CLIENTS);
  const failOver = (async () => {
    const everybodyChats = () =>
      run.conversations.length === 4 * CLIENTS && run.conversations.every(({ seen }) => seen.length > 0);
    await cluster.until('every client has a reply', async () => everybodyChats());
    link.lagMs = LAG_MS;
    await delay(CHAT_MS);
    await checkWaitsForReplica(primary);
    primary.process.kill('SIGKILL');
    const since = Date.now();
    await delay(DETECTION_MS);
    await promote(replica);
    address.move(replica.port);
    await cluster.until('a node can write', async () => (await fetch(`${url}/health/ready`)).ok);
    const outageMs = Date.now() - since;
    await delay(CHAT_MS);
    return outageMs;
  })();
  const outageMs = await Promise.race([failOver, chats]);
  run.isOver = true;
  await chats;
  const replies = await run.compare(url, account);
  console.log(
    `✓ ${replies} replies over a failover of ${outageMs} ms: no message lost, ${run.interrupted} replies interrupted`,
  );
});
