import { normalizeIp } from '@nestjs/throttler';

/**
 * Returns the key by which an address is counted: IPv4 addresses as they are, IPv6 addresses by /64, which one
 * subscriber usually holds whole.
 * @param ip on HTTP Express's `request.ip`, which trusts X-Forwarded-For from `TRUST_PROXY` only
 */
export function addressKey(ip: string | undefined): string {
  return normalizeIp(ip ?? 'unknown', 64);
}
