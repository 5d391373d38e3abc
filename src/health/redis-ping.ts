import { Injectable, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { createClient } from 'redis';
import { reconnectWhenSilent, redisOptions } from '../common/redis.js';
import { Settings } from '../env/settings.js';

/** Asks Redis, where there is one, for a sign of life, over a connection that nothing else keeps busy. */
@Injectable()
export class RedisPing implements OnModuleInit, OnApplicationShutdown {
  private client?: ReturnType<typeof createClient>;

  constructor(private readonly settings: Settings) {}

  get isConfigured(): boolean {
    return this.settings.redisUrl !== undefined;
  }

  /** @throws where Redis is away */
  async ping(): Promise<void> {
    await this.client?.ping();
  }

  async onModuleInit(): Promise<void> {
    const { redisUrl } = this.settings;
    if (redisUrl === undefined) return;
    // The client is a quarter of a second's loading, which a server without Redis need not spend.
    const { createClient } = await import('redis');
    // While it connects, pings wait, in bounds: anybody may have one sent.
    this.client = createClient({ ...redisOptions(redisUrl), commandsQueueMaxLength: 100 });
    reconnectWhenSilent(this.client);
    // The answer to a ping tells of it; the client tries again by itself.
    this.client.on('error', () => undefined);
    this.client.connect().catch(() => undefined);
  }

  onApplicationShutdown(): void {
    if (this.client?.isOpen) this.client.destroy();
  }
}
