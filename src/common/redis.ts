/** A connection without a response for this time is replaced, pings included. */
const SILENCE_MS = 10_000;
const PING_INTERVAL_MS = 3000;
/** Never gives up: the default strategy does after a socket timeout. Jitter keeps nodes from reconnecting at once. */
const reconnectStrategy = (retries: number) => Math.min(50 * 2 ** retries, 1000) + Math.random() * 100;

/** Options of all Redis clients. */
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

/** Reconnects a silent connection: for `socketTimeout`, writes count as activity. */
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
  // Emitted for an answered ping.
  client.on('ping-interval', extend);
}
