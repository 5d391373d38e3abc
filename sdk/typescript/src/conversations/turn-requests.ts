import { networkError, ParleyError } from '../error.js';
import { readEvents, type RequestEvents } from '../http/event-stream.js';
import { withTimeout } from '../http/timeout.js';
import type { Connection } from '../live/connection.js';
import type { LiveEvent } from '../live/events.js';
import type { ChatRegenerate, Message, Turn } from '../rest/types.gen.js';
import type { Draft } from './outbox.js';

/** A request that makes the model reply. */
export type TurnRequest = Draft | RegenerateRequest;

export type RegenerateRequest = { command: 'chat.regenerate'; body: ChatRegenerate };

/** How long a request waits for the connection before it goes over HTTP. */
const LIVE_WITHIN_MS = 3_000;
/** How long the answer over HTTP may take to begin. */
const HTTP_TIMEOUT_MS = 30_000;

/** Requests turns over the live connection or, where there is none, over HTTP as server-sent events. */
export class TurnRequests {
  private readonly closing = new AbortController();

  constructor(
    private readonly connection: Connection,
    private readonly requestEvents: RequestEvents,
    /** Whether the conversation's events come from elsewhere. */
    private readonly isFollowed: () => boolean,
  ) {}

  /** @param onTurn called with the turn before any later event is handled */
  async request(request: TurnRequest, onTurn: (turn: Turn) => void): Promise<Turn> {
    if (await this.connection.whenLive(LIVE_WITHIN_MS)) {
      const { command, body } = request;
      return this.connection.request(command, body, onTurn);
    }
    return this.requestOverHttp(request, onTurn);
  }

  /**
   * Emits the end of a reply that is not on the active branch, from an event stream that begins with the reply.
   * @throws {ParleyError} `reply_lost` if the stream ends without it
   */
  async followReply(conversationId: number, messageId: number): Promise<void> {
    const path = `/conversations/${conversationId}/events`;
    return withTimeout(async (signal) => {
      const response = await this.requestEvents(path, { lastEventId: beginningOf(messageId), signal });
      for await (const event of readEvents(response, signal)) {
        if (event.type !== 'message.completed' || event.body.message.id !== messageId) continue;
        return this.connection.events.emit(event);
      }
      if (!signal.aborted) throw new ParleyError('reply_lost', 'The reply is on another branch.');
    });
  }

  /** Ends event streams; replies go on. */
  close(): void {
    this.closing.abort();
  }

  private async requestOverHttp(request: TurnRequest, onTurn: (turn: Turn) => void): Promise<Turn> {
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = setTimeout(abort, HTTP_TIMEOUT_MS);
    // After a change of network, HTTP connections may hang.
    const unsubscribe = this.connection.opened.on(abort);
    this.closing.signal.addEventListener('abort', abort);
    try {
      const options = { body: fieldsOf(request), signal: controller.signal };
      const response = await this.requestEvents(pathOf(request), options);
      unsubscribe();
      const events = readEvents(response, controller.signal);
      const turn = await firstMessages(events);
      onTurn(turn);
      void this.follow(events).finally(() => this.closing.signal.removeEventListener('abort', abort));
      return turn;
    } catch (error) {
      throw error instanceof ParleyError ? error : networkError(error);
    } finally {
      unsubscribe();
      clearTimeout(timer);
    }
  }

  /** A stream that breaks is no failure: what is missing is read later. */
  private async follow(events: AsyncIterable<LiveEvent>): Promise<void> {
    try {
      for await (const event of events) {
        this.connection.events.emit(event);
        // Browsers limit the connections of a page.
        if (this.isFollowed()) return;
      }
    } catch {
      // The conversation is read again when the connection is live, or by polling.
    }
  }
}

/** The id of an event before a reply's first character (docs/reply-engine.md, Cursors). */
const beginningOf = (messageId: number) => `${messageId}.1.0.0`;

function pathOf({ command, body }: TurnRequest): string {
  const path = `/conversations/${body.conversation_id}`;
  if (command === 'chat.send') return `${path}/chat`;
  return `${path}/messages/${body.message_id}/${command === 'chat.edit' ? 'edit' : 'regenerate'}`;
}

function fieldsOf({ body }: TurnRequest): object {
  const { conversation_id: _conversation, message_id: _message, ...fields } = { message_id: 0, ...body };
  return fields;
}

/** The stream begins with the user's message and the reply. */
async function firstMessages(events: AsyncGenerator<LiveEvent>): Promise<Turn> {
  const created: Message[] = [];
  for (;;) {
    const { done, value } = await events.next();
    if (done) throw networkError('The event stream ended early.');
    if (value.type === 'message.created') created.push(value.body.message);
    const [user_message, assistant_message] = created;
    if (user_message && assistant_message) return { user_message, assistant_message };
  }
}
