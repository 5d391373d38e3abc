import { EventEmitter } from 'node:events';
import type { SeenEvent } from './event-log.js';
import type { Thing } from './http.js';

type Part = 'content' | 'reasoning';

export interface ReadMessage {
  id: number;
  role: string;
  status: string;
  content: string;
  reasoning: string;
}

/**
 * Client's view of one conversation, assembled from any transport's events by the documented rules. Strict: throws on a
 * gap, on a repeat that differs, and on events out of order.
 */
export class ReplyReader {
  readonly messages = new Map<number, ReadMessage>();
  /** Whether the conversation was deleted. */
  deleted = false;
  /** Number of changes of the conversation itself. */
  updates = 0;
  /** First violation by the server; `until` rejects with it. */
  fault?: Error;
  /** Events since `connect`. */
  received = 0;
  private readonly latest: string[] = [];
  /** On this connection: messages with text, with text in progress, and completed ones. */
  private started = new Set<number>();
  private followed = new Set<number>();
  private completed = new Set<number>();
  /** Messages known before this connection. */
  private earlier: number[] = [];
  private options: ConnectOptions = {};
  private readonly changes = new EventEmitter().setMaxListeners(0);

  constructor(
    private readonly name: string,
    private readonly conversationId: number,
  ) {}

  /** Starts a new connection, which may repeat earlier events. */
  connect(transport: string, options: ConnectOptions = {}): void {
    this.received = 0;
    this.started = new Set();
    this.followed = new Set();
    this.completed = new Set();
    this.earlier = [...this.messages.keys()];
    this.options = { ...options };
    this.latest.push(`(${transport})`);
  }

  /** Applies an event, a frame, or an acknowledgement as `{type: 'ack', ok, data}`. Ignores other conversations. */
  apply = (event: SeenEvent): void => {
    try {
      if (this.concerns(event)) this.take(event);
    } catch (error) {
      this.fault ??= error as Error;
    }
    this.received++;
    this.latest.push(summary(event));
    this.changes.emit('change');
  };

  /**
   * Applies the active branch as read since this connection. Newer state from events is kept; known messages that are not
   * on the branch leave the view.
   */
  merge(page: { messages: Thing[] }): void {
    const ids = new Set(page.messages.map(({ id }) => id));
    for (const id of this.earlier) if (!ids.has(id)) this.messages.delete(id);
    for (const message of page.messages.map(read)) {
      const known = this.messages.get(message.id);
      const ahead = known && (known.status !== 'streaming' || lengthOf(known) > lengthOf(message));
      if (!ahead || message.status !== 'streaming') this.messages.set(message.id, message);
    }
    this.changes.emit('change');
  }

  /** The newest known reply. */
  get reply(): ReadMessage | undefined {
    return [...this.messages.values()]
      .filter(({ role }) => role === 'assistant')
      .sort((a, b) => b.id - a.id)[0];
  }

  /** Whether the newest reply has ended. */
  get ended(): boolean {
    return this.reply !== undefined && this.reply.status !== 'streaming';
  }

  /** Whether the reply's end was received over this connection. */
  get endedHere(): boolean {
    return this.ended && this.completed.has(this.reply!.id);
  }

  /** Waits for the condition; rejects at the first violation. */
  until(condition: () => boolean, complaint: string, timeoutMs = 20_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        clearTimeout(timer);
        this.changes.off('change', look);
        if (error) reject(error);
        else resolve();
      };
      const late = () => settle(this.complaint(`${complaint} did not come within ${timeoutMs} ms`));
      const timer = setTimeout(late, timeoutMs);
      const look = () => {
        if (this.fault) settle(this.fault);
        else if (condition()) settle();
      };
      this.changes.on('change', look);
      look();
    });
  }

  private concerns({ type, conversation_id, conversation, id, messages }: SeenEvent): boolean {
    if (conversation !== undefined) return (conversation as Thing).id === this.conversationId;
    if (type === 'conversation.snapshot') return id === this.conversationId && messages !== undefined;
    return type === 'ack' || conversation_id === this.conversationId;
  }

  private take(event: SeenEvent): void {
    if (this.deleted && event.type !== 'ack') throw this.complaint(`${event.type} came after the deletion`);
    if (event.type === 'message.created') this.create(read(event.message as Thing));
    else if (event.type === 'message.delta') this.extend(event as unknown as DeltaEvent);
    else if (event.type === 'message.completed') this.complete(read(event.message as Thing));
    else if (event.type === 'message.restarted') this.restart(read(event.message as Thing));
    else if (event.type === 'conversation.snapshot') this.show(event.messages as Thing[]);
    else if (event.type === 'conversation.deleted') this.deleted = true;
    else if (event.type === 'conversation.updated') this.updates++;
    else if (event.type === 'ack' && event.ok) this.acknowledge(event.data as Partial<Acknowledged>);
  }

  private create(message: ReadMessage): void {
    if (this.started.has(message.id))
      throw this.complaint(`message ${message.id} was created after its text`);
    this.messages.set(message.id, message);
    if (this.options.follows) this.followed.add(message.id);
  }

  /** `part = part.slice(0, offset) + text` */
  private extend({ message_id, part, offset, text }: DeltaEvent): void {
    const message = this.messages.get(message_id) ?? this.stranger(message_id);
    if (this.completed.has(message_id)) throw this.complaint(`text of ${message_id} came after its end`);
    const before = message[part];
    if (offset > before.length) {
      throw this.complaint(`a gap in ${message_id}: ${part} has ${before.length}, the next is ${offset}`);
    }
    const known = before.slice(offset, offset + text.length);
    if (!text.startsWith(known))
      throw this.complaint(`a repeat in ${message_id} differs: ${known} / ${text}`);
    message[part] = before.slice(0, offset) + text;
    this.started.add(message_id);
    this.followed.add(message_id);
  }

  private stranger(id: number): ReadMessage {
    if (!this.options.joinsMidway) throw this.complaint(`text of ${id} came before the message`);
    const message = { id, role: 'assistant', status: 'streaming', content: '', reasoning: '' };
    this.messages.set(id, message);
    return message;
  }

  private complete(message: ReadMessage): void {
    if (this.completed.has(message.id)) throw this.complaint(`message ${message.id} was completed twice`);
    if (message.status === 'streaming') throw this.complaint(`message ${message.id} was completed, but runs`);
    const known = this.messages.get(message.id);
    if (known && this.followed.has(message.id)) this.compare(known, message);
    this.completed.add(message.id);
    this.started.add(message.id);
    this.messages.set(message.id, message);
  }

  /** Checks that the followed text equals the final text. */
  private compare(known: ReadMessage, message: ReadMessage): void {
    for (const part of ['content', 'reasoning'] as const) {
      if (known[part] === message[part]) continue;
      throw this.complaint(`the end of ${message.id} has other ${part}: ${known[part]} / ${message[part]}`);
    }
  }

  private restart(message: ReadMessage): void {
    this.messages.set(message.id, { ...message, content: '', reasoning: '' });
  }

  private acknowledge({ messages, user_message, assistant_message }: Partial<Acknowledged>): void {
    if (messages) this.show(messages);
    this.replace([user_message, assistant_message].filter((message) => message !== undefined));
    if (messages ?? user_message) this.options.follows = true;
  }

  /** Applies a page of the active branch; other messages leave the view. */
  private show(messages: Thing[]): void {
    this.replace(messages);
    const ids = new Set(messages.map(({ id }) => id));
    for (const id of this.messages.keys()) if (!ids.has(id)) this.messages.delete(id);
  }

  /** Applies an acknowledgement; later events build on it. */
  private replace(messages: Thing[]): void {
    for (const message of messages.map(read)) {
      if (this.completed.has(message.id) && message.status === 'streaming') {
        throw this.complaint(`an answer says that ${message.id} runs, which had ended`);
      }
      this.messages.set(message.id, message);
      if (message.status === 'streaming') this.followed.add(message.id);
    }
  }

  private complaint(what: string): Error {
    const latest = this.latest.slice(-12).join(', ');
    return new Error(`${this.name}, conversation ${this.conversationId}: ${what}; of late: ${latest}`);
  }
}

interface ConnectOptions {
  /** Starts with a running reply's text so far (SSE without Last-Event-ID). */
  joinsMidway?: boolean;
  /** Receives the text of every reply, so the final text can be checked. */
  follows?: boolean;
}

interface DeltaEvent {
  message_id: number;
  part: Part;
  offset: number;
  text: string;
}

interface Acknowledged {
  messages: Thing[];
  user_message: Thing;
  assistant_message: Thing;
}

function summary({ type, message_id, message, offset }: SeenEvent): string {
  const { id = message_id, status = offset ?? '' } = (message ?? {}) as Partial<ReadMessage>;
  return [type, id, status].join(' ').trim();
}

function lengthOf({ content, reasoning }: ReadMessage): number {
  return content.length + reasoning.length;
}

function read(message: Thing): ReadMessage {
  const { id, role, status, content, reasoning } = message as unknown as ReadMessage;
  return { id, role, status, content, reasoning };
}
