import { Injectable, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { RedisConnection } from '../common/redis/redis-connection.js';
import { Settings } from '../env/settings.js';

/** Pings Redis, if configured, over a connection of its own. */
@Injectable()
export class RedisPing implements OnModuleInit, OnApplicationShutdown {
  private connection?: RedisConnection;

  constructor(private readonly settings: Settings) {}

  get isConfigured(): boolean {
    return this.settings.redisUrl !== undefined;
  }

  /** @throws if Redis is unavailable */
  async ping(): Promise<void> {
    await this.connection?.client.ping();
  }

  async onModuleInit(): Promise<void> {
    const { redisUrl } = this.settings;
    if (redisUrl === undefined) return;
    // Loaded on demand: the Redis client is slow to load.
    const { RedisConnection } = await import('../common/redis/redis-connection.js');
    this.connection = new RedisConnection(redisUrl);
    // Pings report the failure.
    this.connection.on('error', () => undefined);
    this.connection.connect();
  }

  onApplicationShutdown(): void {
    this.connection?.close();
  }
}
