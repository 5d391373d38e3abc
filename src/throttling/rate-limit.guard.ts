import { ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ThrottlerGuard, ThrottlerLimitDetail } from '@nestjs/throttler';
import type { Request } from 'express';
import { addressKey } from './address-key.js';
import { LIMIT_METADATA } from './limit.decorator.js';
import { RATE_LIMITS, RouteLimitName, windowMsOf } from './limits.js';
import { budgetKey, rateLimited, RateLimits } from './rate-limits.js';
import { SharedThrottlerStorage } from './throttler-storage.js';

/** `user` is set by JwtAuthGuard. */
type MaybeAuthenticated = Request & { user?: { user: { id: number } } };

/**
 * Applies each route's limit (`@Limit`, default `general`) and sets the `RateLimit-*` headers. Runs after JwtAuthGuard,
 * because it counts by user; refuseFloods counts the requests that fail there. `@SkipThrottle()` exempts a route.
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  protected override headerPrefix = 'RateLimit';

  // @Inject is needed: the injection tokens of ThrottlerGuard's parameters would be inherited.
  constructor(
    @Inject(RateLimits) private readonly limits: RateLimits,
    @Inject(SharedThrottlerStorage) storage: SharedThrottlerStorage,
    @Inject(Reflector) reflector: Reflector,
  ) {
    const limit = (context: ExecutionContext) => limits.limitOf(limitNameOf(context, reflector));
    const ttl = (context: ExecutionContext) => windowMsOf(limitNameOf(context, reflector));
    super([{ limit, ttl }], storage, reflector);
  }

  /** Skips gateways: Nest runs global guards on them too, but they have limits of their own. */
  protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
    return context.getType() !== 'http' || !this.limits.enabled;
  }

  protected override generateKey(context: ExecutionContext): string {
    const name = limitNameOf(context, this.reflector);
    const { ip, user } = context.switchToHttp().getRequest<MaybeAuthenticated>();
    const byUser = RATE_LIMITS[name].per === 'user' && user;
    return budgetKey(name, byUser ? user.user.id : addressKey(ip));
  }

  protected override throwThrottlingException(
    _: ExecutionContext,
    detail: ThrottlerLimitDetail,
  ): Promise<never> {
    throw rateLimited(detail.limit, detail.timeToBlockExpire * 1000);
  }
}

/** The limit `chat` is consumed by ReplyQuota, which does not count repeated sends. */
function limitNameOf(context: ExecutionContext, reflector: Reflector): RouteLimitName {
  const targets = [context.getHandler(), context.getClass()];
  return reflector.getAllAndOverride<RouteLimitName | undefined>(LIMIT_METADATA, targets) ?? 'general';
}
