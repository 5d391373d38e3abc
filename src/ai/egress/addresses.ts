import { isIP } from 'node:net';
import os from 'node:os';
import ipaddr from 'ipaddr.js';

/** Global unicast, the routed part of IPv6 (RFC 4291 section 2.4). ipaddr.js knows the special ranges in it. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');
/** Azure's WireServer: a public address that is reachable only from Azure's virtual machines. */
const WIRE_SERVER = '168.63.129.16';

/**
 * Whether an address in canonical form is reachable from the Internet. False for private, loopback, link-local, CGNAT,
 * metadata and documentation addresses, and for IPv6 that embeds IPv4 (mapped, compatible, NAT64, 6to4, Teredo), whose
 * target depends on the local network.
 */
export function isPublicAddress(text: string): boolean {
  const address = parse(text);
  if (address?.range() !== 'unicast') return false;
  if (address.kind() === 'ipv4') return address.toString() !== WIRE_SERVER;
  return address.match(GLOBAL_UNICAST);
}

/**
 * Whether an address is this machine's own. Packets to it stay on the machine, behind the firewall, even if it is
 * public.
 */
export function isOwnAddress(text: string): boolean {
  const address = parse(text)?.toString();
  const own = Object.values(os.networkInterfaces()).flatMap((interfaces) => interfaces ?? []);
  return own.some((each) => parse(each.address)?.toString() === address);
}

export function isLoopbackAddress(text: string): boolean {
  return parse(text)?.range() === 'loopback';
}

function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  return isIP(text) ? ipaddr.parse(text) : undefined;
}
