import { Injectable, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { createClient } from 'redis';
import { Settings } from '../env/settings.js';

/** Asks Redis, where there is one, for a sign of life, over a connection that nothing else keeps busy. */
@Injectable()
export class RedisPing implements OnModuleInit, OnApplicationShutdown {
  private readonly client;

  constructor({ redisUrl }: Settings) {
    // While it connects, pings wait, in bounds: anybody may have one sent.
    this.client = redisUrl ? createClient({ url: redisUrl, commandsQueueMaxLength: 100 }) : undefined;
    // The answer to a ping tells of it; the client tries again by itself.
    this.client?.on('error', () => undefined);
  }

  get isNeeded(): boolean {
    return this.client !== undefined;
  }

  /** @throws where Redis is away */
  async ping(): Promise<void> {
    await this.client?.ping();
  }

  onModuleInit(): void {
    this.client?.connect().catch(() => undefined);
  }

  onApplicationShutdown(): void {
    if (this.client?.isOpen) this.client.destroy();
  }
}
