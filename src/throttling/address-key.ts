import { normalizeIp } from '@nestjs/throttler';

/**
 * What an address counts as: itself, and for IPv6 its /64, of which one subscriber has all.
 * @param ip on HTTP Express's `request.ip`, which heeds X-Forwarded-For from `TRUST_PROXY` alone
 */
export function addressKey(ip: string | undefined): string {
  return normalizeIp(ip ?? 'unknown', 64);
}
