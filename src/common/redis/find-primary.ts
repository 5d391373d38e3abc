import { createClient, type RedisClientOptions } from 'redis';
import type { RedisAddress, RedisHost } from '../../env/rules/redis-url.js';

type ManyHosts = Exclude<RedisAddress, { kind: 'server' }>;

/** For each host, because the others are asked at the same time. */
const TIMEOUT_MS = 2000;
/** Hash tag of all keys: the server of its slot is the primary in a Cluster. */
export const HASH_TAG = 'parley';

interface Client {
  sendCommand<T>(command: string[]): Promise<T>;
}

/**
 * Asks all hosts, and takes the first answer. The Sentinels have the same credentials as the servers, or none.
 * @returns client options of the primary
 */
export async function findPrimary(address: ManyHosts) {
  const { username, password, tls, database } = address;
  const attempts = address.hosts.flatMap((host) => [
    ask(address, host, { username, password }),
    ...(address.kind === 'sentinel' && password ? [ask(address, host, {})] : []),
  ]);
  const primary = await Promise.any(attempts).catch((error: AggregateError) => {
    throw error.errors[0];
  });
  return { username, password, database, socket: { ...primary, tls: tls || undefined } };
}

/** @throws if the server does not respond, or was replaced as the primary */
export async function verifyPrimary(client: Client, kind: RedisAddress['kind']): Promise<void> {
  if (kind === 'server') return void (await client.sendCommand(['PING']));
  const isPrimary = kind === 'sentinel' ? await isMaster(client) : await ownsSlot(client);
  if (!isPrimary) throw new Error('Another server is the primary');
}

async function ask(address: ManyHosts, seed: RedisHost, credentials: RedisClientOptions): Promise<RedisHost> {
  const client = createClient({
    ...credentials,
    disableClientInfo: true,
    socket: {
      ...seed,
      tls: address.tls || undefined,
      connectTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
      reconnectStrategy: false,
    },
  });
  // Errors also reject the promises.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return address.kind === 'sentinel'
      ? await askSentinel(client, address.primary)
      : await askCluster(client, seed);
  } finally {
    if (client.isOpen) client.destroy();
  }
}

async function askSentinel(client: Client, name: string): Promise<RedisHost> {
  const command = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name];
  const found = await client.sendCommand<[host: string, port: string] | null>(command);
  if (!found) throw new Error('Sentinel does not know this primary');
  return { host: found[0], port: Number(found[1]) };
}

async function isMaster(client: Client): Promise<boolean> {
  const [role] = await client.sendCommand<[string]>(['ROLE']);
  return role === 'master';
}

async function askCluster(client: Client, seed: RedisHost): Promise<RedisHost> {
  const [host, port] = await slotOwner(client);
  // Empty stands for the address of the connection.
  return { host: host || seed.host, port };
}

/** Also detects that the server has left the Cluster. */
async function ownsSlot(client: Client): Promise<boolean> {
  const [, , id] = await slotOwner(client);
  return id === (await client.sendCommand<string>(['CLUSTER', 'MYID']));
}

type ClusterNode = [host: string | null, port: number, id: string, ...unknown[]];
type SlotRange = [from: number, to: number, primary: ClusterNode, ...replicas: ClusterNode[]];

async function slotOwner(client: Client): Promise<ClusterNode> {
  const slot = await client.sendCommand<number>(['CLUSTER', 'KEYSLOT', HASH_TAG]);
  const ranges = await client.sendCommand<SlotRange[]>(['CLUSTER', 'SLOTS']);
  const range = ranges.find(([from, to]) => from <= slot && slot <= to);
  if (!range) throw new Error('The Cluster has no server for this slot');
  return range[2];
}
