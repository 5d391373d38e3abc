import { ParleyError } from '../../../sdk/typescript/src/error.js';
import type {
  Conversation,
  ConversationPage,
  Message,
  Problem,
  Turn,
} from '../../../sdk/typescript/src/index.js';
import type { LiveEvent } from '../../../sdk/typescript/src/live/events.js';

/** Messages of a page. */
export const PAGE = 6;

export type Part = 'content' | 'reasoning';
type Ending = 'complete' | 'failed' | 'stopped' | 'interrupted';

/** A send or an edit. */
export interface Asked {
  content: string;
  client_message_id?: string | null;
}

/**
 * One conversation as the API's documents describe it, and the events that it sends. Refuses by throwing problems.
 * Written from the documents, not from the server's or the client's code.
 */
export class ConversationModel {
  /** Every event so far. */
  readonly events: LiveEvent[] = [];
  /** Texts that a reply had before a crash took some back. */
  readonly takenBack = new Map<number, string[]>();
  readonly messages: Message[] = [];
  isDeleted = false;
  private title = 'New chat';
  private activeId: number | null = null;
  private activity = 0;

  /** @param publish called with each event */
  constructor(
    readonly id: number,
    private readonly publish: (event: LiveEvent) => void = () => undefined,
  ) {}

  /** The active branch, oldest first. */
  get branch(): Message[] {
    const branch: Message[] = [];
    for (let id = this.activeId; id !== null; id = branch[0]!.parent_id) branch.unshift(this.get(id));
    return branch;
  }

  get running(): Message | undefined {
    return this.messages.find(({ status }) => status === 'streaming');
  }

  get conversation(): Conversation {
    const { id, title, activeId, messages, activity } = this;
    const [created_at, updated_at] = [timeOf(0), timeOf(activity)];
    const head = { id, title, active_message_id: activeId, message_count: messages.length };
    return { ...head, created_at, updated_at, pinned: false, archived: false } as Conversation;
  }

  page(beforeId?: number, limit = PAGE): ConversationPage {
    this.requireExisting();
    const older = this.branch.filter(({ id }) => beforeId === undefined || id < beforeId);
    const has_more = older.length > limit;
    return structuredClone({ ...this.conversation, messages: older.slice(-limit), has_more });
  }

  send(asked: Asked): Turn {
    return this.repeated(asked) ?? this.turn(asked, this.activeId);
  }

  edit(messageId: number, asked: Asked): Turn {
    const repeated = this.repeated(asked);
    if (repeated) return repeated;
    const edited = this.requireRole(messageId, 'user');
    return this.turn(asked, edited.parent_id);
  }

  regenerate(messageId: number): Turn {
    const { parent_id } = this.requireRole(messageId, 'assistant');
    this.requireIdle();
    return this.reply(this.get(parent_id!));
  }

  activate(messageId: number): ConversationPage {
    this.requireIdle();
    const below = new Set([this.find(messageId).id]);
    for (const { id, parent_id } of this.messages) if (below.has(parent_id ?? 0)) below.add(id);
    this.activeId = Math.max(...below);
    this.updated();
    return this.page();
  }

  stop(): Message {
    this.requireExisting();
    const { running } = this;
    if (!running) throw problem(409, 'no_reply_running');
    this.end('stopped');
    return structuredClone(running);
  }

  rename(title: string): Conversation {
    this.requireExisting();
    this.title = title;
    this.updated();
    return this.conversation;
  }

  delete(): void {
    if (this.running) this.stop();
    this.isDeleted = true;
    this.emit({ type: 'conversation.deleted', body: { conversation_id: this.id } });
  }

  say(text: string, part: Part = 'content'): void {
    const { running } = this;
    if (!running) return;
    const offset = running[part].length;
    running[part] += text;
    this.delta(running, part, offset, text);
  }

  end(status: Ending = 'complete'): void {
    const { running } = this;
    if (!running) return;
    Object.assign(running, { status, completed_at: timeOf(this.activity) });
    this.about('message.completed', running);
  }

  /** The server crashed and begins the reply again. */
  restart(): void {
    const { running } = this;
    if (!running) return;
    this.takeBack(running);
    Object.assign(running, { content: '', reasoning: '' });
    this.about('message.restarted', running);
  }

  /** The server crashed: the newest text, which it had not stored, is taken back, and the reply is interrupted. */
  crash(): void {
    const { running } = this;
    if (!running) return;
    this.takeBack(running);
    running.content = running.content.slice(0, Math.ceil(running.content.length / 2));
    this.delta(running, 'content', running.content.length, '');
    this.end('interrupted');
  }

  /** The id of a message on any branch; 0 where there is none. */
  anyOf(role: Message['role'], n: number): number {
    const found = this.messages.filter((each) => each.role === role);
    return found[n % found.length]?.id ?? 0;
  }

  find(id: number): Message {
    this.requireExisting();
    const message = this.messages.find((each) => each.id === id);
    if (!message) throw problem(404, 'not_found');
    return message;
  }

  /** The events with which a stream begins that answers a send, and later a repeat of it. */
  beginningOf({ user_message, assistant_message }: Turn): LiveEvent[] {
    const reply = structuredClone(assistant_message);
    const blank = { ...reply, content: '', reasoning: '', status: 'streaming' as const, completed_at: null };
    const created = [user_message, blank].map((message) => this.event('message.created', message));
    return [
      ...created,
      ...this.textSoFar(reply),
      ...(reply.status === 'streaming' ? [] : [this.event('message.completed', reply)]),
    ];
  }

  textSoFar({ id: message_id, content, reasoning }: Message): LiveEvent[] {
    const texts = Object.entries({ reasoning, content }).filter(([, text]) => text);
    return texts.map(([part, text]) => ({
      type: 'message.delta',
      body: { conversation_id: this.id, message_id, part: part as Part, offset: 0, text },
    }));
  }

  private get(id: number): Message {
    return this.messages.find((each) => each.id === id)!;
  }

  private turn({ content, client_message_id = null }: Asked, parentId: number | null): Turn {
    this.requireExisting();
    this.requireIdle();
    const user = this.create('user', parentId, { content, client_message_id });
    this.about('message.created', user);
    return this.reply(user);
  }

  private reply(user: Message): Turn {
    const reply = this.create('assistant', user.id, { status: 'streaming' });
    this.activeId = reply.id;
    this.activity++;
    this.about('message.created', reply);
    this.updated();
    return structuredClone({ user_message: user, assistant_message: reply });
  }

  /** The same id never makes a second message: the repeat gets the first one's answer. */
  private repeated({ content, client_message_id }: Asked): Turn | null {
    this.requireExisting();
    const asked = this.messages.find(
      (each) => client_message_id && each.client_message_id === client_message_id,
    );
    if (!asked) return null;
    if (asked.content !== content) throw problem(409, 'client_message_id_reused');
    const reply = this.messages.find(({ parent_id }) => parent_id === asked.id)!;
    return structuredClone({ user_message: asked, assistant_message: reply });
  }

  private create(role: Message['role'], parent_id: number | null, fields: Partial<Message>): Message {
    const id = this.id * 1000 + this.messages.length + 1;
    const siblings = this.messages.filter((each) => each.parent_id === parent_id);
    const sibling_ids = [...siblings.map((each) => each.id), id];
    siblings.forEach((each) => (each.sibling_ids = sibling_ids));
    const message = { ...BLANK, conversation_id: this.id, id, role, parent_id, sibling_ids, ...fields };
    this.messages.push(message as Message);
    return message as Message;
  }

  private requireExisting(): void {
    if (this.isDeleted) throw problem(404, 'not_found');
  }

  private requireIdle(): void {
    const { running } = this;
    if (running) throw problem(409, 'reply_in_progress', { assistant_message_id: running.id });
  }

  private requireRole(id: number, role: Message['role']): Message {
    const message = this.find(id);
    if (message.role !== role) throw problem(409, 'wrong_role');
    return message;
  }

  private takeBack({ id, content, reasoning }: Message): void {
    this.takenBack.set(id, [...(this.takenBack.get(id) ?? []), content, reasoning]);
  }

  private delta({ id: message_id }: Message, part: Part, offset: number, text: string): void {
    this.emit({ type: 'message.delta', body: { conversation_id: this.id, message_id, part, offset, text } });
  }

  private about(type: 'message.created' | 'message.restarted' | 'message.completed', message: Message): void {
    this.emit(this.event(type, message));
  }

  private event(
    type: 'message.created' | 'message.restarted' | 'message.completed',
    message: Message,
  ): LiveEvent {
    return structuredClone({ type, body: { conversation_id: this.id, message } });
  }

  private updated(): void {
    this.emit({ type: 'conversation.updated', body: { conversation: this.conversation } });
  }

  private emit(event: LiveEvent): void {
    this.events.push(event);
    this.publish(event);
  }
}

/**
 * Messages as a client that missed events can know them: a page does not say which siblings older messages have.
 * @param oldestRead the first message of the page
 */
export function comparable<T extends { id: number | null; sibling_ids: number[] }>(
  messages: readonly T[],
  oldestRead: Message | undefined,
): T[] {
  const isOlder = ({ id }: T) => oldestRead !== undefined && id !== null && id < oldestRead.id;
  return messages.map((message) => (isOlder(message) ? { ...message, sibling_ids: [] } : message));
}

/**
 * The part of a branch that a client knows which shows its newest messages.
 * @param oldestRead the client has to show it, if the branch has it, and all newer ones; undefined: the whole branch
 */
export function knownPart(
  branch: readonly Message[],
  shown: number,
  oldestRead: Message | undefined,
): readonly Message[] {
  const from = branch.findIndex(({ id }) => id >= (oldestRead?.id ?? 0));
  return branch.slice(Math.min(Math.max(from, 0), branch.length - shown));
}

const BLANK = {
  content: '',
  reasoning: '',
  status: 'complete',
  client_message_id: null,
  completed_at: null,
  files: [],
};

const timeOf = (activity: number) => new Date(Date.UTC(2026, 0, 1) + activity * 1000).toISOString();

export function problem(status: number, code: string, fields: object = {}): ParleyError {
  const body = {
    type: 'about:blank',
    title: code,
    status,
    detail: code,
    instance: '/',
    code,
    request_id: 'r',
  };
  return new ParleyError(code, code, { status, problem: { ...body, ...fields } as Problem });
}
