import type { RawData, WebSocket } from 'ws';
import type { AuthService } from '../../../auth/guard/auth.service.js';
import type { AccessClaims } from '../../../auth/identity.js';
import { invalidField, ProblemError } from '../../../common/errors/errors.js';
import { bodyPipe } from '../../../common/validation/validation.js';
import { ParleyEvent } from '../../../events/parley-event.js';
import { Backpressure } from '../shared/backpressure.js';
import { jsonWithType } from '../../events/chat.events.js';
import { ConversationStream } from '../../streams/conversation-stream.js';
import type { Subscription } from '../../streams/subscription.js';
import { COMMANDS, isCommandName, runCommand } from '../shared/command-registry.js';
import { ConnectionSession } from '../shared/connection-session.js';
import { encodeOnce } from '../shared/encode-once.js';
import { PacedCommands } from '../shared/paced-commands.js';
import { SocketCommands, SocketPeer } from '../shared/socket-commands.js';
import { EventMeter, SocketLimits, tooManyEvents } from '../shared/socket-limits.js';
import { Acknowledgement, refusal, type SocketRequest } from '../shared/socket-refusal.js';

/** RFC 6455, section 7.4; those from 4000 on are Parley's own (docs/clients.md). */
export const CLOSE_CODES = {
  internal: 1011,
  restart: 1012,
  tryLater: 1013,
  token: 4401,
  notFound: 4404,
  noToken: 4408,
  tooLarge: 4413,
  tooMuch: 4429,
} as const;

interface Services {
  auth: AuthService;
  stream: ConversationStream;
  commands: SocketCommands;
  limits: SocketLimits;
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
  private readonly backpressure: Backpressure;
  private readonly pipe = bodyPipe();
  /** Its own conversation is open, and others that the client opened. */
  private subscription?: Subscription;
  private session?: ConnectionSession;
  private alive = true;

  constructor(
    readonly socket: WebSocket,
    private readonly claims: AccessClaims,
    private readonly conversationId: number,
    private readonly services: Services,
  ) {
    this.meter = services.limits.meter();
    this.backpressure = new Backpressure(socket);
    const commands = new PacedCommands(socket, () => socket.readyState === socket.OPEN);
    this.peer = {
      userId: claims.userId,
      join: (id) => this.subscription?.open(id),
      leave: (id) => this.subscription?.close(id),
      runPaced: (command) => commands.run(command),
      renew: (renewed) => this.session?.renew(renewed),
    };
    socket.on('pong', () => (this.alive = true));
  }

  /** Opens the conversation: the first frame is its snapshot. @throws {NotFoundError} */
  async start(): Promise<void> {
    const { userId } = this.peer;
    await this.services.stream.open(userId, this.conversationId, undefined, (page) => this.begin(page));
  }

  async receive(data: RawData, isBinary: boolean): Promise<void> {
    // Frames may still arrive while the socket is closing.
    if (this.socket.readyState !== this.socket.OPEN) return;
    const verdict = this.meter.count();
    if (verdict === 'close') {
      refusal(tooManyEvents(), this.describe(null));
      return this.socket.close(CLOSE_CODES.tooMuch);
    }
    const frame = isBinary ? null : parse(String(data));
    this.write('ack', await this.answer(frame, verdict === 'refuse'));
  }

  /** Sends a ping; terminates the connection if the last one was not answered. */
  ping(): void {
    if (!this.alive) return this.socket.terminate();
    this.alive = false;
    this.socket.ping();
  }

  private begin(page: object): void {
    const { socket, services } = this;
    if (socket.readyState !== socket.OPEN) return;
    this.write('conversation.snapshot', JSON.stringify(page));
    const subscription = services.stream.subscribe(this.peer.userId, (event) => this.forward(event));
    subscription.open(this.conversationId);
    this.subscription = subscription;
    const session = new ConnectionSession(services.stream, services.auth, this.claims, {
      expiring: (expiresAt) =>
        this.write('session.expiring', JSON.stringify({ expires_at: expiresAt.toISOString() })),
      ended: (reason) => socket.close(CLOSE_CODES.token, reason),
      resume: () => socket.close(CLOSE_CODES.restart),
    });
    this.session = session;
    socket.once('close', () => {
      subscription.end();
      session.close();
    });
  }

  /** Sends an event of one of the open conversations, of its own one even while that is closed. */
  private forward(event: ParleyEvent): void {
    const { type, conversationId } = event;
    if (event.isInternal || conversationId === undefined) return;
    const own = conversationId === this.conversationId;
    if (own || this.subscription?.isOpen(conversationId)) this.send(encodeEvent(event));
    if (own && type === 'conversation.deleted') this.socket.close(CLOSE_CODES.notFound, 'deleted');
  }

  /** @param json an object, whose fields stand beside `type` */
  private write(type: string, json: string): void {
    this.send(encodeFrame(type, json));
  }

  private send(frame: Buffer): void {
    if (this.socket.readyState !== this.socket.OPEN) return;
    if (this.backpressure.hasRoomFor(frame.length)) this.socket.send(frame, { binary: false });
    else this.socket.terminate();
  }

  /** The acknowledgement as JSON; a problem if the answer cannot be encoded. */
  private async answer(frame: Frame | null, refused: boolean): Promise<string> {
    const id = isFrameId(frame?.id) ? frame.id : undefined;
    const encode = (acknowledgement: Acknowledgement) => JSON.stringify({ id, ...acknowledgement });
    try {
      if (refused) throw tooManyEvents();
      if (!frame) throw new ProblemError(400, 'bad_request', 'A frame must be a JSON object, as text.');
      return encode({ ok: true, data: await this.run(frame) });
    } catch (error) {
      return encode(refusal(error, this.describe(frame)));
    }
  }

  private describe(frame: Frame | null): SocketRequest {
    const { userId: user_id, sessionId: session_id } = this.claims;
    const command = isCommandName(frame?.type) ? frame.type : undefined;
    const conversation_id = this.conversationId;
    return { transport: 'websocket', command, user_id, session_id, conversation_id };
  }

  private async run({ type, id, ...body }: Frame): Promise<unknown> {
    if (id !== undefined && id !== null && !isFrameId(id))
      throw invalidField('id', 'Must be a number or text.');
    if (!isCommandName(type)) throw invalidField('type', 'There is no such command.');
    // Defaults to the conversation of the socket.
    const named =
      type === 'auth.refresh'
        ? body
        : { ...body, conversation_id: body.conversation_id ?? this.conversationId };
    const dto = (await this.pipe.transform(named, { type: 'body', metatype: COMMANDS[type].dto })) as object;
    return runCommand(type, 'websocket', this.services.commands, this.peer, dto);
  }
}

function encodeFrame(type: string, json: string): Buffer {
  return Buffer.from(jsonWithType(type, json));
}

const encodeEvent = encodeOnce(({ type, json }) => encodeFrame(type, json));

const isFrameId = (id: unknown): id is number | string => typeof id === 'number' || typeof id === 'string';

function parse(text: string): Frame | null {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === 'object' && frame !== null && !Array.isArray(frame) ? (frame as Frame) : null;
  } catch {
    return null;
  }
}
