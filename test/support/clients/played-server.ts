import type { ConversationPage, Turn } from '../../../sdk/typescript/src/index.js';
import { type LiveEvent } from '../../../sdk/typescript/src/live/events.js';
import { type ConversationModel, problem } from '../model/conversation-model.js';
import type { ListModel } from '../model/list-model.js';

/** Events that a response carries, while it is open. */
export class ServedEvents {
  readonly waiting: { id: string; event: LiveEvent }[] = [];
  hasEnded = false;

  /** @param replyId the reply with whose end the stream ends */
  constructor(
    readonly conversation: ConversationModel,
    private readonly replyId: number | null = null,
  ) {}

  add(event: LiveEvent, position = this.conversation.events.length): void {
    if (this.hasEnded) return;
    this.waiting.push({ id: `at-${position}`, event });
    const isLast = event.type === 'message.completed' && event.body.message.id === this.replyId;
    this.hasEnded = isLast || event.type === 'conversation.deleted';
  }

  /** Whether an event of the conversation belongs to this stream. */
  covers({ type, body }: LiveEvent): boolean {
    if (this.replyId === null) return true;
    return type === 'message.delta'
      ? body.message_id === this.replyId
      : 'message' in body && body.message.id === this.replyId;
  }
}

export type Served = { json: unknown } | { events: ServedEvents };

/** A command of the socket. */
export interface Command {
  name: string;
  body: Record<string, unknown> & { conversation_id: number; message_id?: number };
}

/** Answers the calls and commands of clients from models. */
export class PlayedServer {
  readonly conversations = new Map<number, ConversationModel>();
  /** Absent where a test has no list. */
  list?: ListModel;
  readonly streams = new Set<ServedEvents>();
  /** The newest page of a branch that was read last. */
  newestPage: ConversationPage | null = null;

  /** Passes an event of a conversation to its streams. */
  publish(event: LiveEvent, id: number): void {
    for (const stream of this.streams) {
      if (stream.conversation.id === id && stream.covers(event)) stream.add(event);
    }
  }

  command({ name, body }: Command): unknown {
    if (name === 'auth.refresh' || name === 'conversation.close') return {};
    const conversation = this.get(body.conversation_id);
    const asked = body as never;
    if (name === 'conversation.open') return (this.newestPage = conversation.page());
    if (name === 'chat.send') return conversation.send(asked);
    if (name === 'chat.edit') return conversation.edit(body.message_id!, asked);
    if (name === 'chat.regenerate') return conversation.regenerate(body.message_id!);
    throw new Error(`${name} is not played.`);
  }

  call(method: string, url: URL, body: unknown, lastEventId: string | null): Served {
    const listed = this.callOfList(url, body as never);
    if (listed !== undefined) return { json: listed };
    const [, id, action, messageId, verb] =
      /^\/conversations\/(\d+)(?:\/(\w+))?(?:\/(\d+)\/(\w+))?$/.exec(url.pathname) ?? [];
    const conversation = this.get(Number(id));
    const message = Number(messageId);
    const asked = body as never;
    if (action === undefined) return { json: this.page(conversation, url.searchParams) };
    if (action === 'stop') return { json: conversation.stop() };
    if (action === 'events') return { events: this.follow(conversation, lastEventId) };
    if (action === 'chat') return this.answer(conversation, conversation.send(asked));
    if (verb === 'edit') return this.answer(conversation, conversation.edit(message, asked));
    if (verb === 'regenerate') return this.answer(conversation, conversation.regenerate(message));
    if (verb === 'activate') return { json: (this.newestPage = conversation.activate(message)) };
    throw new Error(`${method} ${url.pathname} is not played.`);
  }

  private callOfList({ pathname, searchParams }: URL, body: object): unknown {
    const { list } = this;
    const [, id, action] = /^\/conversations\/(\d+)\/(update|delete)$/.exec(pathname) ?? [];
    if (!list) return undefined;
    if (action === 'update') return list.update(Number(id), body);
    if (action === 'delete') return list.delete(Number(id)) ?? null;
    if (pathname === '/conversations/create') return list.create(body);
    return list.page(Number(searchParams.get('limit')), searchParams.get('cursor'));
  }

  private get(id: number): ConversationModel {
    const conversation = this.conversations.get(id);
    if (!conversation || conversation.isDeleted) throw problem(404, 'not_found');
    return conversation;
  }

  private page(conversation: ConversationModel, query: URLSearchParams) {
    const [before, limit] = [query.get('before_id'), query.get('limit')];
    const page = conversation.page(before ? Number(before) : undefined, limit ? Number(limit) : undefined);
    if (!before) this.newestPage = page;
    return page;
  }

  /** Live events of a conversation: everything since a position, or a running reply's text so far first. */
  private follow(conversation: ConversationModel, lastEventId: string | null): ServedEvents {
    const stream = new ServedEvents(conversation);
    this.streams.add(stream);
    const { events, running } = conversation;
    if (lastEventId) {
      const seen = positionOf(lastEventId, events);
      events.slice(seen).forEach((event, n) => stream.add(structuredClone(event), seen + n + 1));
    } else if (running) conversation.textSoFar(running).forEach((event) => stream.add(event));
    return stream;
  }

  private answer(conversation: ConversationModel, turn: Turn): Served {
    const stream = new ServedEvents(conversation, turn.assistant_message.id);
    this.streams.add(stream);
    conversation.beginningOf(turn).forEach((event) => stream.add(event));
    return { events: stream };
  }
}

/** @param id of an event, or of a reply's beginning (docs/reply-engine.md, Cursors) */
function positionOf(id: string, events: readonly LiveEvent[]): number {
  const [, messageId] = /^(\d+)\.1\.0\.0$/.exec(id) ?? [];
  if (!messageId) return Number(id.slice('at-'.length));
  const isCreation = ({ type, body }: LiveEvent) =>
    type === 'message.created' && body.message.id === Number(messageId);
  return events.findIndex(isCreation) + 1;
}
