export interface RedisHost {
  host: string;
  port: number;
}

/** How the primary is found: at a fixed address, by asking Sentinel, or by asking nodes of a Cluster. */
export type RedisAddress =
  | { kind: 'server'; url: string }
  | {
      kind: 'sentinel' | 'cluster';
      /** Any one of them suffices to find the primary. */
      hosts: RedisHost[];
      tls: boolean;
      username?: string;
      password?: string;
      /** Sentinel's name of the primary. */
      primary: string;
      database: number;
    };

const DEFAULT_PORTS = { sentinel: 26_379, cluster: 6379 };
const MANY_HOSTS =
  /^redis(s?)\+(sentinel|cluster):\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([^/?#]+)(?:\/(\d{1,4}))?)?$/;

/**
 * Parses `redis[s]://…`, `redis[s]+sentinel://[user:password@]host[:port],…/primary[/database]` and
 * `redis[s]+cluster://[user:password@]host[:port],…`.
 * @returns undefined for invalid text
 */
export function parseRedisUrl(text: string): RedisAddress | undefined {
  if (/^rediss?:/.test(text)) return isServer(text) ? { kind: 'server', url: text } : undefined;
  const [, tls, kind, credentials = '', list, primary = '', database] = MANY_HOSTS.exec(text) ?? [];
  if (kind !== 'sentinel' && kind !== 'cluster') return undefined;
  if ((kind === 'sentinel') !== (primary !== '')) return undefined;
  const urls = list!.split(',').map((host) => `redis://${credentials}@${host}`);
  if (!urls.every(isServer)) return undefined;
  const hosts = urls.map((url) => hostOf(new URL(url), DEFAULT_PORTS[kind]));
  const { username, password } = credentialsOf(new URL(urls[0]!));
  return { kind, hosts, tls: tls === 's', username, password, primary, database: Number(database ?? 0) };
}

function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { hostname, username, password, pathname } = new URL(text);
  return hostname !== '' && isDecodable(username + password) && /^(\/\d*)?$/.test(pathname);
}

function hostOf({ hostname, port }: URL, defaultPort: number): RedisHost {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || defaultPort) };
}

function credentialsOf({ username, password }: URL) {
  const decode = (text: string) => (text ? decodeURIComponent(text) : undefined);
  return { username: decode(username), password: decode(password) };
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
