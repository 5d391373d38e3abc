import { Injectable, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { createClient } from 'redis';
import { reconnectWhenSilent, redisOptions } from '../common/redis.js';
import { Settings } from '../env/settings.js';

/** Pings Redis, if configured, over a connection of its own. */
@Injectable()
export class RedisPing implements OnModuleInit, OnApplicationShutdown {
  private client?: ReturnType<typeof createClient>;

  constructor(private readonly settings: Settings) {}

  get isConfigured(): boolean {
    return this.settings.redisUrl !== undefined;
  }

  /** @throws if Redis is unavailable */
  async ping(): Promise<void> {
    await this.client?.ping();
  }

  async onModuleInit(): Promise<void> {
    const { redisUrl } = this.settings;
    if (redisUrl === undefined) return;
    // Loaded only if needed: the client takes a quarter of a second.
    const { createClient } = await import('redis');
    // Limits the pings queued while connecting, because anyone can cause one.
    this.client = createClient({ ...redisOptions(redisUrl), commandsQueueMaxLength: 100 });
    reconnectWhenSilent(this.client);
    // Pings report the failure; the client reconnects by itself.
    this.client.on('error', () => undefined);
    this.client.connect().catch(() => undefined);
  }

  onApplicationShutdown(): void {
    if (this.client?.isOpen) this.client.destroy();
  }
}
