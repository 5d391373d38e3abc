/** Schemes without pages, or whose pages have an opaque origin. */
const SCHEMES_WITHOUT_ORIGIN = [
  'about',
  'blob',
  'data',
  'file',
  'filesystem',
  'ftp',
  'javascript',
  'ws',
  'wss',
];
const HOST_AND_PORT = /^([\w.~-]+|\[[\da-f:.]+\])(:\d+)?$/i;

/** @returns why a text is not a serialized origin (RFC 6454 section 6.2), or null if it is one */
export function originError(text: string): string | null {
  if (text === '') return 'is empty';
  if (/^null$/i.test(text)) return 'is null, which sandboxed pages of every site send';
  if (text.includes('*')) return 'has a wildcard: name each origin';
  const [, scheme, rest = ''] = /^([a-z][a-z\d+.-]*):\/\/(.*)$/is.exec(text) ?? [];
  if (!scheme) return 'has no scheme: write scheme://host[:port]';
  if (SCHEMES_WITHOUT_ORIGIN.includes(scheme.toLowerCase()))
    return 'has a scheme whose pages have no origin of their own';
  return authorityError(rest) ?? serializationError(text, scheme);
}

function authorityError(rest: string): string | null {
  const [authority = ''] = rest.split(/[/?#\\]/, 1);
  if (authority.includes('@')) return 'has credentials';
  if (authority === '') return 'names no host';
  if (rest !== authority) return 'has a slash or more after its host: write scheme://host[:port]';
  return null;
}

/** Hosts of custom app schemes keep their case and may be `.` (Electron). */
function serializationError(text: string, scheme: string): string | null {
  if (!URL.canParse(text)) return 'has a bad host or port';
  const { origin, href } = new URL(text);
  if ((/^https?$/i.test(scheme) ? origin : href) !== text)
    return 'is not as browsers write it: in lower case and punycode, without a default port';
  return HOST_AND_PORT.test(text.slice(`${scheme}://`.length)) ? null : 'has a bad host or port';
}
