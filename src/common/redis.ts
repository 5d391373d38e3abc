/** A connection on which not even a ping is answered is dead, though nothing says so, and is made anew after this. */
const SILENCE_MS = 10_000;
const PING_INTERVAL_MS = 3000;
/** Of its own accord the client gives up on a connection that died so. Many nodes do not come back in step. */
const reconnectStrategy = (retries: number) => Math.min(50 * 2 ** retries, 1000) + Math.random() * 100;

/** Options of every client of Redis. */
export const redisOptions = (url: string) => ({
  url,
  pingInterval: PING_INTERVAL_MS,
  socket: { socketTimeout: SILENCE_MS, reconnectStrategy },
});

interface RedisClient {
  readonly isReady: boolean;
  on(event: 'ready' | 'ping-interval', listener: () => void): unknown;
  destroy(): void;
  connect(): Promise<unknown>;
}

/** Bounds the silence of a connection that is written to: for `socketTimeout` each write is a sign of life. */
export function reconnectWhenSilent(client: RedisClient): void {
  let deadline: NodeJS.Timeout | undefined;
  const reconnect = () => {
    if (!client.isReady) return;
    client.destroy();
    client.connect().catch(() => undefined);
  };
  const extend = () => {
    clearTimeout(deadline);
    deadline = setTimeout(reconnect, SILENCE_MS).unref();
  };
  client.on('ready', extend);
  // An answered ping.
  client.on('ping-interval', extend);
}
