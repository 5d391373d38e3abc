import { Global, MiddlewareConsumer, Module, NestModule } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Settings } from '../env/settings.js';
import { FloodMiddleware } from './flood.middleware.js';
import { LimitStore } from './limit-store.js';
import { MemoryLimitStore } from './memory-limit-store.js';
import { RateLimitGuard } from './rate-limit.guard.js';
import { RateLimits } from './rate-limits.js';
import { RedisLimitStore } from './redis-limit-store.js';
import { SharedThrottlerStorage } from './throttler-storage.js';

const limitStore = {
  provide: LimitStore,
  useFactory: (settings: Settings, own: MemoryLimitStore): LimitStore =>
    settings.redisUrl ? new RedisLimitStore(settings.redisUrl, own) : own,
  inject: [Settings, MemoryLimitStore],
};

/**
 * To be imported after AuthModule: global guards run in the order of their modules, and a user's calls are counted
 * by the user.
 */
@Global()
@Module({
  providers: [
    MemoryLimitStore,
    limitStore,
    RateLimits,
    SharedThrottlerStorage,
    { provide: APP_GUARD, useClass: RateLimitGuard },
  ],
  exports: [RateLimits],
})
export class ThrottlingModule implements NestModule {
  /** A prober that shares its address with a flood must not take the server for dead. */
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(FloodMiddleware).exclude('health/{*path}').forRoutes('{*path}');
  }
}
