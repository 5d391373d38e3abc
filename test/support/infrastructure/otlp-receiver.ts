import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

type Field = number | Buffer;
type ProtoMessage = Map<number, Field[]>;

export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  parentId: string;
  name: string;
  attributes: Record<string, string | number>;
}

/** OTLP receiver (http/protobuf) that keeps the exported bytes and misbehaves on command. */
export class OtlpReceiver {
  readonly bodies: { path: string; headers: NodeJS.Dict<string | string[]>; body: Buffer }[] = [];
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const sent = Buffer.concat(chunks);
        const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
        this.bodies.push({ path: request.url!, headers: request.headers, body });
        this.respond(response);
      });
    });
  }

  respond = (response: ServerResponse): unknown =>
    response.writeHead(200, { 'Content-Type': 'application/x-protobuf' }).end();

  async start(): Promise<this> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** All exported bytes as text, for searches. */
  get text(): string {
    return this.bodies.map(({ body }) => body.toString('latin1')).join('\n');
  }

  /** ExportTraceServiceRequest of opentelemetry/proto/collector/trace/v1. */
  get spans(): ReceivedSpan[] {
    const traces = this.bodies.filter(({ path }) => path === '/v1/traces').map(({ body }) => decode(body));
    const nested = (messages: ProtoMessage[], field: number) =>
      messages.flatMap((message) => (message.get(field) ?? []).map((bytes) => decode(bytes as Buffer)));
    return nested(nested(nested(traces, 1), 2), 2).map((span) => ({
      traceId: bytesOf(span, 1).toString('hex'),
      spanId: bytesOf(span, 2).toString('hex'),
      parentId: bytesOf(span, 4).toString('hex'),
      name: bytesOf(span, 5).toString(),
      attributes: Object.fromEntries((span.get(9) ?? []).map((bytes) => attributeIn(bytes as Buffer))),
    }));
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

const bytesOf = (message: ProtoMessage, field: number) =>
  (message.get(field)?.[0] as Buffer) ?? Buffer.alloc(0);

/** KeyValue of opentelemetry/proto/common/v1, with a text or an integer. */
function attributeIn(bytes: Buffer): [key: string, value: string | number] {
  const pair = decode(bytes);
  const value = decode(bytesOf(pair, 2));
  const [integer] = value.get(3) ?? [];
  return [bytesOf(pair, 1).toString(), typeof integer === 'number' ? integer : bytesOf(value, 1).toString()];
}

/** Wire types; the one that is left, 5, has 32 bits. */
const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;

/** Decodes one level of the protobuf wire format. */
function decode(bytes: Buffer): ProtoMessage {
  const fields: ProtoMessage = new Map();
  let at = 0;
  const varint = () => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const take = (length: number) => bytes.subarray(at, (at += length));
  const valueOf = (type: number) => {
    if (type === VARINT) return varint();
    if (type === LENGTH_DELIMITED) return take(varint());
    return take(type === FIXED_64 ? 8 : 4);
  };
  while (at < bytes.length) {
    const key = varint();
    const type = key & 7;
    const value = valueOf(type);
    const field = key >>> 3;
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}
