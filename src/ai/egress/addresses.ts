import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

/** Global unicast, the one part of IPv6 that is routed (RFC 4291 section 2.4); what is special in it, ipaddr.js knows. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');
/** Azure's WireServer, reachable from its virtual machines alone, though its address looks public. */
const WIRE_SERVER = '168.63.129.16';

/**
 * Whether an address in its canonical text is one that anybody on the Internet could reach. False for every other:
 * private, loopback, link-local, CGNAT, metadata, documentation, and IPv6 that carries an IPv4 address within
 * (mapped, compatible, NAT64, 6to4, Teredo), as what it leads to depends on the network that we are in.
 */
export function isPublicAddress(text: string): boolean {
  const address = parse(text);
  if (address?.range() !== 'unicast') return false;
  if (address.kind() === 'ipv4') return address.toString() !== WIRE_SERVER;
  return address.match(GLOBAL_UNICAST);
}

/**
 * Whether it is this machine's own. Public as it may be, packets to it never leave the machine, and so pass by the
 * firewall that keeps the Internet from what else listens here.
 */
export function isOwnAddress(text: string): boolean {
  const address = parse(text)?.toString();
  const own = Object.values(networkInterfaces()).flatMap((interfaces) => interfaces ?? []);
  return own.some((each) => parse(each.address)?.toString() === address);
}

export function isLoopbackAddress(text: string): boolean {
  return parse(text)?.range() === 'loopback';
}

function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  return isIP(text) ? ipaddr.parse(text) : undefined;
}
