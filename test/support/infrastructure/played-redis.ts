import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Null, a number or a string as bulk string; an error; a list of them. */
export type RedisValue = null | number | string | Error | RedisValue[];
type Answer = (command: string[]) => RedisValue | undefined;

/** Server that speaks RESP 2, for the answers of Sentinels and Clusters. An undefined answer is never sent. */
export class PlayedRedis {
  /** Commands received, over all connections. */
  readonly commands: string[][] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    public answer: Answer,
  ) {}

  static async start(answer: Answer): Promise<PlayedRedis> {
    const server = createServer();
    const played = new PlayedRedis(server, answer);
    server.on('connection', (socket) => played.serve(socket));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return played;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.sockets.size;
  }

  async close(): Promise<void> {
    this.server.close();
    this.sockets.forEach((socket) => socket.destroy());
    await once(this.server, 'close');
  }

  private serve(socket: Socket): void {
    let received = '';
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket)).on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (text: string) => {
      const { commands, rest } = commandsIn(received + text);
      received = rest;
      for (const command of commands) {
        this.commands.push(command);
        const answer = this.answer(command);
        if (answer !== undefined) socket.write(encode(answer));
      }
    });
  }
}

/** Commands are arrays of bulk strings, of ASCII here. */
function commandsIn(text: string): { commands: string[][]; rest: string } {
  const commands: string[][] = [];
  let rest = text;
  for (let parts = rest.split('\r\n'); parts.length > 1; parts = rest.split('\r\n')) {
    const count = Number(parts[0]!.slice(1));
    const end = 1 + 2 * count;
    // NaN for what is no command: a TLS handshake has a line break by chance.
    if (!(parts.length > end)) break;
    commands.push(Array.from({ length: count }, (_, i) => parts[2 + 2 * i]!));
    rest = parts.slice(end).join('\r\n');
  }
  return { commands, rest };
}

function encode(value: RedisValue): string {
  if (value === null) return '$-1\r\n';
  if (typeof value === 'number') return `:${value}\r\n`;
  if (value instanceof Error) return `-${value.message}\r\n`;
  if (Array.isArray(value)) return `*${value.length}\r\n${value.map(encode).join('')}`;
  return `$${Buffer.byteLength(value)}\r\n${value}\r\n`;
}
