import type { LookupAddress } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';

/**
 * Every address of a name.
 * @param isOurs whether the operator names it, rather than a user
 */
export type ResolveHost = (hostname: string, isOurs: boolean) => Promise<LookupAddress[]>;
export const RESOLVE_HOST = Symbol('RESOLVE_HOST');

/** At most 6 s for a name server, asked twice. */
const DNS_OPTIONS = { timeout: 2_000, tries: 2 };

export const resolveHost: ResolveHost = (hostname, isOurs) =>
  isOurs || isLocalName(hostname) ? lookup(hostname, { all: true }) : resolveName(hostname);

/** The names of this machine itself (RFC 6761 section 6.3). */
export function isLocalName(hostname: string): boolean {
  return /(^|\.)localhost\.?$/.test(hostname);
}

/**
 * Asks DNS itself. The system's lookup, which our own names need for its hosts file and search domains, would hold one
 * of the process's few threads for as long as a user's name server likes. A resolver for each name, since it reads
 * once which name servers there are.
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
