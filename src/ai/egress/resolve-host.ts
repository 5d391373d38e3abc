import type { LookupAddress } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';

/**
 * Resolves all addresses of a name.
 * @param isTrusted whether the operator configured the name, not a user
 */
export type ResolveHost = (hostname: string, isTrusted: boolean) => Promise<LookupAddress[]>;
export const RESOLVE_HOST = Symbol('RESOLVE_HOST');

/** At most 6 s per name server. */
const DNS_OPTIONS = { timeout: 2_000, tries: 2 };

export const resolveHost: ResolveHost = (hostname, isTrusted) =>
  isTrusted || isLocalName(hostname) ? lookup(hostname, { all: true }) : resolveName(hostname);

/** Names of the local machine (RFC 6761 section 6.3). */
export function isLocalName(hostname: string): boolean {
  return /(^|\.)localhost\.?$/.test(hostname);
}

/**
 * Queries DNS directly: the system's lookup blocks one of the process's few threads for as long as a user's name server
 * takes. Trusted names need it for the hosts file and search domains. A resolver per name, because it reads the list of
 * name servers only once.
 */
export async function resolveName(
  hostname: string,
  resolver = new Resolver(DNS_OPTIONS),
): Promise<LookupAddress[]> {
  const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  const addresses = answers.flatMap((answer, index) =>
    answer.status === 'rejected' ? [] : answer.value.map((address) => ({ address, family: index ? 6 : 4 })),
  );
  const [ipv4] = answers;
  if (addresses.length === 0 && ipv4.status === 'rejected') throw ipv4.reason;
  return addresses;
}
