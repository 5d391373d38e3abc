import { isIP } from 'node:net';
import { list, parseUrl } from './rule.js';

const NAMED_SUBNETS = ['loopback', 'linklocal', 'uniquelocal'];

export const trustedProxies = list(
  `is not an address, a subnet such as 10.0.0.0/8, or one of ${NAMED_SUBNETS.join(', ')}`,
  (item) => (NAMED_SUBNETS.includes(item) || isAddressOrSubnet(item) ? item : undefined),
);

/** Refuses /0, with which any client could claim any address. */
function isAddressOrSubnet(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128);
}

/** Returned as `URL.hostname` writes them (lower case, punycode, IPv6 in brackets), with the port if given. */
export const modelHosts = list('is not a host or host:port (IPv6 in brackets)', (item) => {
  const [, name = '', digits] = /^(\[[\da-f:.]+\]|[^\s:/?#@*%[\]\\]+)(?::(\d{1,5}))?$/i.exec(item) ?? [];
  const hostname = parseUrl(`http://${name}`, ['http:'])?.hostname;
  if (!hostname || digits === undefined) return hostname;
  const number = Number(digits);
  return number >= 1 && number <= 65_535 ? `${hostname}:${number}` : undefined;
});
