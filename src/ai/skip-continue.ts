import type { Socket } from 'node:net';

const CONTINUE = /^HTTP\/1\.[01] 100\b/;
const STATUS_LENGTH = 'HTTP/1.1 100 '.length;
const HEADERS_END = '\r\n\r\n';
const MAX_BYTES = 64 * 1024;

/**
 * Drops `100 Continue` responses from what a socket reads: a client must accept them unasked (RFC 9110 section 15.2), but
 * undici closes the connection.
 */
export function skipContinue(socket: Socket): void {
  const read = socket.read.bind(socket);
  let held: Buffer | undefined;
  socket.read = (size?: number): Buffer | null => {
    const bytes = read(size) as Buffer | null;
    if (!bytes || (!held && !isContinue(bytes))) return bytes;
    const { rest, isWhole } = withoutContinue(held ? Buffer.concat([held, bytes]) : bytes);
    held = isWhole ? undefined : rest;
    return isWhole && rest.length > 0 ? rest : null;
  };
}

function isContinue(bytes: Buffer): boolean {
  return bytes[0] === 0x48 && CONTINUE.test(bytes.toString('latin1', 0, STATUS_LENGTH));
}

function withoutContinue(bytes: Buffer): { rest: Buffer; isWhole: boolean } {
  let rest = bytes;
  while (isContinue(rest)) {
    const end = rest.indexOf(HEADERS_END);
    if (end < 0) return { rest, isWhole: rest.length > MAX_BYTES };
    rest = rest.subarray(end + HEADERS_END.length);
  }
  return { rest, isWhole: true };
}
