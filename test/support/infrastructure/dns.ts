import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Resolver } from 'node:dns/promises';
import type { AddressInfo } from 'node:net';
import ipaddr from 'ipaddr.js';

/** @returns the IPv4 and IPv6 addresses for this query; null for an unknown name */
export type Zone = (name: string) => readonly string[] | null;

const TYPES = { A: 1, AAAA: 28 } as const;
const NAME_ERROR = 3;
const HEADER_BYTES = 12;

/** Name server (RFC 1035) whose answers have TTL 0 and may change with every query. */
export class DnsServer {
  queries = 0;

  private constructor(
    private readonly socket: Socket,
    private readonly zone: Zone,
  ) {
    socket.on('message', (query, { port, address }) => socket.send(this.answer(query), port, address));
  }

  static async start(zone: Zone): Promise<DnsServer> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new DnsServer(socket, zone);
  }

  /** Resolver that uses this server only. */
  resolver(): Resolver {
    const resolver = new Resolver({ timeout: 2_000, tries: 1 });
    resolver.setServers([`127.0.0.1:${(this.socket.address() as AddressInfo).port}`]);
    return resolver;
  }

  async stop(): Promise<void> {
    this.socket.close();
    await once(this.socket, 'close');
  }

  private answer(query: Buffer): Buffer {
    this.queries++;
    const { name, end } = readName(query);
    const type = query.readUInt16BE(end);
    const addresses = this.zone(name);
    const records = (addresses ?? []).map(recordOf).filter((record) => record.readUInt16BE(2) === type);
    const header = Buffer.alloc(HEADER_BYTES);
    query.copy(header, 0, 0, 2);
    // Flags: response, authoritative, recursion desired and available.
    header.writeUInt16BE(0x8580 | (addresses ? 0 : NAME_ERROR), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    return Buffer.concat([header, query.subarray(HEADER_BYTES, end + 4), ...records]);
  }
}

function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

/** Resource record: pointer to the question's name, class IN, TTL 0. */
function recordOf(address: string): Buffer {
  const bytes = Buffer.from(ipaddr.parse(address).toByteArray());
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  head.writeUInt16BE(bytes.length === 4 ? TYPES.A : TYPES.AAAA, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(bytes.length, 10);
  return Buffer.concat([head, bytes]);
}
