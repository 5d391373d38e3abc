import type { Socket } from 'node:net';

/** Informational responses except 101, which changes the protocol. */
const INFORMATIONAL = /^HTTP\/1\.[01] 1(?!01)\d\d/;
const STATUS = 'HTTP/1.1 1xx';
const MAY_BE = ['HTTP/1.0 1', 'HTTP/1.1 1'];
const HEADERS_END = '\r\n\r\n';
const MAX_BYTES = 64 * 1024;

/**
 * Drops informational responses from a socket's reads, however they are split. A client must accept them unrequested
 * (RFC 9110 section 15.2), but undici closes the connection at a `100 Continue`.
 */
export function skipContinue(socket: Socket): void {
  const read = socket.read.bind(socket);
  const write = socket.write.bind(socket);
  let held: Buffer = Buffer.alloc(0);
  // Only between a request and its response: a body may contain the same bytes.
  let isAwaited = true;
  socket.write = ((...args: Parameters<Socket['write']>) => {
    isAwaited = true;
    return write(...args);
  }) as Socket['write'];
  socket.read = (size?: number): Buffer | null => {
    const bytes = read(size) as Buffer | null;
    if (!bytes || !isAwaited) return bytes;
    held = withoutInformational(Buffer.concat([held, bytes]));
    if (held.length === 0 || (mayBeInformational(held) && held.length <= MAX_BYTES)) return null;
    const response = held;
    held = Buffer.alloc(0);
    isAwaited = false;
    return response;
  };
}

function withoutInformational(bytes: Buffer): Buffer {
  let rest = bytes;
  while (INFORMATIONAL.test(startOf(rest))) {
    const end = rest.indexOf(HEADERS_END);
    if (end < 0) break;
    rest = rest.subarray(end + HEADERS_END.length);
  }
  return rest;
}

/** Whether the bytes are, or may become, an informational response. */
function mayBeInformational(bytes: Buffer): boolean {
  const start = startOf(bytes);
  return (
    INFORMATIONAL.test(start) ||
    (start.length < STATUS.length && MAY_BE.some((each) => each.startsWith(start.slice(0, 10))))
  );
}

function startOf(bytes: Buffer): string {
  return bytes.toString('latin1', 0, STATUS.length);
}
