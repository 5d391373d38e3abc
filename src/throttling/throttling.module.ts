import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Deployment } from '../database/deployment.entity.js';
import { Settings } from '../env/settings.js';
import { LimitStore } from './limit-store.js';
import { MemoryLimitStore } from './memory-limit-store.js';
import { ConcurrencyLimiter } from './concurrency-limiter.js';
import { RateLimitGuard } from './rate-limit.guard.js';
import { RateLimits } from './rate-limits.js';
import { SharedThrottlerStorage } from './throttler-storage.js';

const limitStore = {
  provide: LimitStore,
  useFactory: async (
    { redisUrl }: Settings,
    { id }: Deployment,
    own: MemoryLimitStore,
  ): Promise<LimitStore> => {
    if (!redisUrl) return own;
    // Loaded on demand: the Redis client is slow to load.
    const { RedisLimitStore } = await import('./redis-limit-store.js');
    return new RedisLimitStore(redisUrl, id, own);
  },
  inject: [Settings, Deployment, MemoryLimitStore],
};

/**
 * Must be imported after AuthModule: global guards run in the order of their modules, and RateLimitGuard counts by user.
 */
@Global()
@Module({
  providers: [
    MemoryLimitStore,
    limitStore,
    RateLimits,
    ConcurrencyLimiter,
    SharedThrottlerStorage,
    { provide: APP_GUARD, useClass: RateLimitGuard },
  ],
  exports: [RateLimits, ConcurrencyLimiter],
})
export class ThrottlingModule {}
