import type { RawData, WebSocket } from 'ws';
import type { Identity } from '../auth/identity.js';
import { ProblemError, ValidationFailedError } from '../common/errors.js';
import { bodyPipe } from '../common/validation.js';
import { EventHub, ParleyEvent } from '../events/event-hub.js';
import { ConversationStreams } from './conversation-streams.js';
import { LiveSession } from './live-session.js';
import { MAX_WAITING_BYTES, SlowReaders } from './slow-readers.js';
import { SocketCommands, SocketPeer } from './socket-commands.js';
import { EventMeter, MAX_FRAME_BYTES, SocketLimits, tooManyEvents } from './socket-limits.js';
import { Acknowledgement, refusal } from './socket-problem.filter.js';
import {
  ConversationRefDto,
  OpenConversationDto,
  SocketEditDto,
  SocketRegenerateDto,
  SocketSendDto,
  TokenDto,
} from './socket.dto.js';

const CLOSE_CODES = { restart: 1012, token: 4401, notFound: 4404, tooLarge: 4413, tooMuch: 4429 } as const;

interface Services {
  streams: ConversationStreams;
  commands: SocketCommands;
  limits: SocketLimits;
  slowReaders: SlowReaders;
  hub: EventHub;
}

interface Frame {
  type?: unknown;
  id?: unknown;
  [field: string]: unknown;
}

/** One plain WebSocket on one conversation. */
export class WebSocketClient {
  private readonly peer: SocketPeer;
  private readonly meter: EventMeter;
  private readonly endings: (() => void)[];
  private readonly session: LiveSession;
  private readonly pipe = bodyPipe();
  private joined = false;

  constructor(
    readonly socket: WebSocket,
    identity: Identity,
    private readonly conversationId: number,
    private readonly services: Services,
  ) {
    this.meter = services.limits.meter();
    this.session = new LiveSession(services.hub, identity, {
      expiring: (expiresAt) =>
        this.write('session.expiring', JSON.stringify({ expires_at: expiresAt.toISOString() })),
      ended: (reason) => socket.close(CLOSE_CODES.token, reason),
      resume: () => socket.close(CLOSE_CODES.restart),
    });
    this.peer = {
      userId: identity.user.id,
      join: () => (this.joined = true),
      leave: () => (this.joined = false),
      renew: (renewed) => this.session.renew(renewed),
    };
    this.endings = [
      () => this.session.close(),
      services.hub.subscribe(identity.user.id, (event) => this.pass(event)),
      services.slowReaders.watch(this.outlet()),
    ];
    socket.once('close', () => this.endings.forEach((end) => end()));
  }

  /** Opens the conversation: the first frame is its snapshot. @throws {NotFoundError} */
  async start(): Promise<void> {
    const { streams } = this.services;
    await streams.open(this.peer.userId, this.conversationId, undefined, (page) => {
      this.write('conversation.snapshot', JSON.stringify(page));
      this.joined = true;
      this.live = true;
    });
  }

  /** Before the snapshot nothing is passed on: it is in the snapshot. */
  private live = false;

  private pass(event: ParleyEvent): void {
    if (!this.live || event.conversationId !== this.conversationId) return;
    if (event.type === 'message.delta' && !this.joined) return;
    this.write(event.type, event.json);
    if (event.type === 'conversation.deleted') this.socket.close(CLOSE_CODES.notFound, 'deleted');
  }

  /** @param json an object, whose fields stand beside `type` */
  private write(type: string, json: string): void {
    this.socket.send(json === '{}' ? `{"type":"${type}"}` : `{"type":"${type}",${json.slice(1)}`);
    if (this.socket.bufferedAmount > MAX_WAITING_BYTES) this.socket.terminate();
  }

  async receive(data: RawData, isBinary: boolean): Promise<void> {
    const text = data.toString();
    if (Buffer.byteLength(text) > MAX_FRAME_BYTES) return this.socket.close(CLOSE_CODES.tooLarge);
    const verdict = this.meter.count();
    if (verdict === 'close') return this.socket.close(CLOSE_CODES.tooMuch);
    const frame = isBinary ? null : parse(text);
    const answer = await this.answer(frame, verdict === 'refuse');
    this.write('ack', JSON.stringify({ id: frame?.id, ...answer }));
  }

  private async answer(frame: Frame | null, refused: boolean): Promise<Acknowledgement> {
    try {
      if (refused) throw tooManyEvents();
      if (!frame) throw new ProblemError(400, 'bad_request', 'A frame must be a JSON object, as text.');
      return { ok: true, data: await this.run(frame) };
    } catch (error) {
      return refusal(error, `ws-${this.conversationId}`);
    }
  }

  private async run({ type, id, ...body }: Frame): Promise<unknown> {
    if (id !== undefined && typeof id !== 'number' && typeof id !== 'string') {
      throw new ValidationFailedError([{ field: 'id', message: 'Must be a number or text.' }]);
    }
    const command = COMMANDS.get(String(type));
    if (!command) throw new ValidationFailedError([{ field: 'type', message: 'There is no such command.' }]);
    // The conversation that the socket is on need not be named.
    const named = type === 'auth.refresh' ? body : { conversation_id: this.conversationId, ...body };
    const dto = (await this.pipe.transform(named, { type: 'body', metatype: command.dto })) as object;
    return command.run(this.services.commands, this.peer, dto);
  }

  private outlet() {
    const { socket } = this;
    const tcp = () => (socket as unknown as { _socket?: import('node:net').Socket })._socket;
    return {
      waiting: () => socket.bufferedAmount,
      taken: () => (tcp()?.bytesWritten ?? 0) - (tcp()?.writableLength ?? 0),
      cut: () => socket.terminate(),
    };
  }
}

interface Command {
  dto: new () => object;
  run(commands: SocketCommands, peer: SocketPeer, dto: object): unknown;
}

function command<T extends object>(
  dto: new () => T,
  run: (commands: SocketCommands, peer: SocketPeer, dto: T) => unknown,
): Command {
  return { dto, run: run as Command['run'] };
}

const COMMANDS = new Map<string, Command>([
  ['conversation.open', command(OpenConversationDto, (commands, peer, dto) => commands.open(peer, dto))],
  ['conversation.close', command(ConversationRefDto, (commands, peer, dto) => commands.close(peer, dto))],
  ['chat.send', command(SocketSendDto, (commands, peer, dto) => commands.send(peer, dto))],
  ['chat.stop', command(ConversationRefDto, (commands, peer, dto) => commands.stop(peer, dto))],
  ['chat.regenerate', command(SocketRegenerateDto, (commands, peer, dto) => commands.regenerate(peer, dto))],
  ['chat.edit', command(SocketEditDto, (commands, peer, dto) => commands.edit(peer, dto))],
  ['auth.refresh', command(TokenDto, (commands, peer, dto) => commands.refresh(peer, dto))],
]);

function parse(text: string): Frame | null {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === 'object' && frame !== null && !Array.isArray(frame) ? (frame as Frame) : null;
  } catch {
    return null;
  }
}
