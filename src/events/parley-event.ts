/** The events that clients receive. */
export type ClientEventType =
  | 'message.created'
  | 'message.delta'
  | 'message.completed'
  | 'message.restarted'
  | 'conversation.created'
  | 'conversation.updated'
  | 'conversation.deleted'
  | 'config.changed';

/** Events between parts of the server, such as those that close sockets and stop replies. */
const INTERNAL_EVENT_TYPES = [
  'session.revoked',
  'sessions.current',
  'account.disabled',
  'account.deleted',
  'reply.stop',
  'connection.resume',
  'shared-configs.changed',
] as const;

export type EventType = ClientEventType | (typeof INTERNAL_EVENT_TYPES)[number];

const INTERNAL = new Set<EventType>(INTERNAL_EVENT_TYPES);

/** An event of a user. Its JSON is encoded once for all transports. */
export class ParleyEvent {
  /** The conversation that the event belongs to, if any. */
  readonly conversationId: number | undefined;
  /** Whether the event is not sent to clients. */
  readonly isInternal: boolean;
  #json?: string;
  #cursor?: string | (() => string);

  /** @param cursor a function is called on first use: there are many deltas, and few transports need their cursor */
  constructor(
    readonly type: EventType,
    readonly body: Record<string, unknown> & { conversation_id?: number; conversation?: { id: number } },
    cursor?: string | (() => string),
  ) {
    this.conversationId = body.conversation_id ?? body.conversation?.id;
    this.isInternal = INTERNAL.has(type);
    this.#cursor = cursor;
  }

  /** The position of a client that has received the event, as a Last-Event-ID. */
  get cursor(): string | undefined {
    if (typeof this.#cursor === 'function') this.#cursor = this.#cursor();
    return this.#cursor;
  }

  /** The body as JSON, on one line. */
  get json(): string {
    return (this.#json ??= this.encode());
  }

  protected encode(): string {
    return JSON.stringify(this.body);
  }
}

export type EventListener = (event: ParleyEvent) => void;
