import { UserChange } from '../auth/user-change.js';
import { ParleyError } from '../error.js';
import { withTimeout } from '../http/timeout.js';
import type { LiveEvent } from '../live/events.js';
import { uuid } from '../platform/uuid.js';
import type { ConversationPage, Turn } from '../rest/index.js';
import { Store } from '../store.js';
import { ActiveReplies, stopReply } from './active-replies.js';
import * as branches from './branch.js';
import { ConversationReader } from './conversation-reader.js';
import { requestFields, observeUploads } from './message-files.js';
import { type Draft, Outbox } from './outbox.js';
import { regenerate } from './regenerate.js';
import { Reply } from './reply.js';
import type { ConversationServices, EditOptions, RegenerateOptions, SendOptions } from './services.js';
import { type ConversationSnapshot, type ConversationStatus, INITIAL, snapshotOf } from './snapshot.js';
import { TurnRequests } from './turn-requests.js';

/**
 * One conversation: a store of its active branch, kept up to date while somebody observes it or waits for a reply, and
 * the calls that change it.
 */
export class Conversation extends Store<ConversationSnapshot> {
  private branch = branches.EMPTY;
  private status: ConversationStatus = 'idle';
  private error: ParleyError | null = null;
  private readonly outbox: Outbox;
  private readonly reader: ConversationReader;
  private readonly requests: TurnRequests;
  private readonly replies: ActiveReplies;
  private earlier: Promise<void> | null = null;
  private readonly user = new UserChange();

  /** @internal Use `parley.conversation(id)`. */
  constructor(
    readonly id: number,
    private readonly services: ConversationServices,
  ) {
    super(INITIAL);
    const { connection, requestEvents } = services;
    this.requests = new TurnRequests(connection, requestEvents, () => this.reader.isFollowing);
    this.replies = new ActiveReplies(id, this.requests, () => {
      if (!this.isObserved) this.unobserved();
    });
    this.reader = new ConversationReader(id, services, {
      begin: () => this.branch,
      read: (page, basis) => this.pageRead(page, basis),
      failed: (error) => this.readFailed(error),
      isWaiting: () => this.status === 'loading' || branches.runningReply(this.branch) !== null,
    });
    this.outbox = new Outbox(services.drafts, {
      isReady: (key) => branches.isReadyFor(this.branch, key),
      deliver: (draft) => this.requests.request(draft, this.turnReceiver()),
      accepted: ({ reply }, turn) => this.accept(reply, turn),
    });
    this.outbox.changed.on(() => this.publish());
  }

  /**
   * Sends a message. It is shown at once, queued while offline or while a reply runs, and delivered exactly once, in
   * order. If the server refuses it, it stays in `messages` as `rejected`: see `retry` and `remove`.
   */
  send(content: string, options: SendOptions = {}): Reply {
    const body = { ...requestFields(options), conversation_id: this.id, content, client_message_id: uuid() };
    return this.enqueue({ command: 'chat.send', body }, options);
  }

  /** Sends a changed message in place of an earlier one, on a branch of its own; as `send`. */
  edit(messageId: number, content: string, options: EditOptions = {}): Reply {
    const identity = { conversation_id: this.id, message_id: messageId, client_message_id: uuid() };
    const body = { ...requestFields(options), ...identity, content };
    return this.enqueue({ command: 'chat.edit', body }, options);
  }

  /** Sends a rejected message again. */
  retry(key: string): Reply | null {
    const draft = this.outbox.entries.find(({ view }) => view.key === key)?.draft;
    const reply = this.outbox.retry(key);
    if (reply && draft) this.follow(reply, draft);
    return reply;
  }

  /** Removes a message that was rejected, or is not delivered yet. */
  remove(key: string): void {
    this.outbox.remove(key);
  }

  /** Asks for another reply to the same message, by default to the last one; repeated while offline, as `send`. */
  regenerate(messageId?: number, options: RegenerateOptions = {}): Reply {
    const reply = new Reply();
    this.follow(reply, null);
    const { rest } = this.services;
    const { messages, newestId } = this.branch;
    const context = { rest, requests: this.requests, newestId, isOver: () => reply.isOver };
    const body = { ...options, conversation_id: this.id };
    regenerate(body, messageId ?? messages.at(-1)?.id, context, this.turnReceiver()).then(
      (turn) => this.accept(reply, turn),
      (error: ParleyError) => reply.fail(error),
    );
    return reply;
  }

  /** Stops the running reply; its text so far is kept. Does nothing when none runs. */
  async stop(): Promise<void> {
    const handle = this.user.unlessReset((event: LiveEvent) => this.handle(event));
    const message = await stopReply(this.services.rest, this.id);
    if (message) handle({ type: 'message.completed', body: { conversation_id: this.id, message } });
  }

  /** Shows the branch with this message, one of the `sibling_ids` of another. */
  async activate(messageId: number): Promise<void> {
    const [path, basis] = [{ id: this.id, message_id: messageId }, this.branch];
    const show = this.user.unlessReset((page: ConversationPage) => this.pageRead(page, basis));
    await withTimeout((signal) => this.services.rest.activateMessage({ path, signal })).then(show);
  }

  /** Loads older messages before the first one; simultaneous calls load one page. */
  loadEarlier(limit = 50): Promise<void> {
    this.earlier ??= this.readEarlier(limit).finally(() => (this.earlier = null));
    return this.earlier;
  }

  /** Ends everything: replies go on at the server, messages that are not delivered are given up. */
  close(): void {
    this.outbox.discard();
    this.end();
  }

  /** As `close`, but what is not delivered is kept for the next run. @internal */
  end(): void {
    this.reader.stop();
    this.requests.close();
    this.giveUp(new ParleyError('closed', 'The conversation was closed.'));
    this.services.forget(this.id);
  }

  /** Delivers messages of an earlier run. @internal */
  restore(drafts: readonly Draft[]): void {
    for (const { reply, draft } of this.outbox.restore(drafts)) this.follow(reply, draft);
  }

  /** @internal */
  handle(event: LiveEvent): void {
    if (event.type === 'conversation.deleted') return this.deleted();
    this.apply(branches.applyEvent(this.branch, event));
    if (event.type !== 'message.completed') return;
    this.replies.complete(event.body.message);
    this.outbox.hurry();
  }

  /** Forgets what belongs to a user who has signed out. @internal */
  reset(error: ParleyError): void {
    this.user.reset();
    this.earlier = null;
    this.reader.stop();
    this.giveUp(error);
    this.branch = branches.EMPTY;
    this.show('idle');
    if (this.isObserved) this.open();
  }

  protected override observed(): void {
    this.open();
  }

  protected override unobserved(): void {
    this.reader.stopLater(() => !this.isObserved && this.replies.isEmpty);
  }

  private open(): void {
    if (this.status === 'idle') this.show('loading');
    if (this.status !== 'deleted') this.reader.start();
  }

  private enqueue(draft: Draft, options: SendOptions): Reply {
    const uploads = options.files && this.services.files.uploadAll(options.files);
    const added = uploads ? { ...draft, missing: uploads.map(({ name }) => name) } : draft;
    const reply = this.outbox.add(added, uploads, branches.filesKept(this.branch, draft));
    observeUploads(uploads ?? [], options, reply, () => this.outbox.withdraw(draft.body.client_message_id));
    this.follow(reply, draft);
    return reply;
  }

  private follow(reply: Reply, request: Draft | null): void {
    this.replies.add(reply, request);
    this.open();
  }

  private turnReceiver(): (turn: Turn) => void {
    return this.user.unlessReset((turn: Turn) => this.apply(branches.applyTurn(this.branch, turn)));
  }

  private accept(reply: Reply, turn: Turn): void {
    reply.accept(turn);
    this.replies.update(this.branch);
  }

  private pageRead(page: ConversationPage, basis?: branches.Branch): void {
    this.apply(branches.applyPage(this.branch, page, basis));
    if (this.branch.isStale) return void this.reader.read();
    this.show('ready');
    this.replies.findMissing(this.branch);
  }

  private readFailed(error: ParleyError): void {
    this.reader.stop();
    this.show('failed', error);
  }

  private apply(branch: branches.Branch): void {
    const wasStale = this.branch.isStale;
    if (branch === this.branch) return;
    this.branch = branch;
    this.replies.update(this.branch);
    if (branch.isStale && !wasStale) void this.reader.read();
    this.publish();
  }

  private async readEarlier(limit: number): Promise<void> {
    const first = this.branch.messages[0];
    if (!first || !this.branch.hasMore) return;
    const show = (page: ConversationPage) => this.apply(branches.applyEarlier(this.branch, page));
    await this.reader.readPage({ before_id: first.id, limit }).then(this.user.unlessReset(show));
  }

  private deleted(): void {
    this.reader.stop();
    this.branch = branches.EMPTY;
    this.outbox.discard();
    const error = new ParleyError('not_found', 'The conversation was deleted.', { status: 404 });
    this.giveUp(error);
    this.show('deleted', error);
  }

  private giveUp(error: ParleyError): void {
    this.outbox.clear(error);
    this.replies.fail(error);
  }

  private show(status: ConversationStatus, error: ParleyError | null = null): void {
    this.status = status;
    this.error = error;
    this.publish();
  }

  private publish(): void {
    this.set(snapshotOf(this.branch, this.outbox.entries, this.status, this.error));
    this.outbox.recheck();
  }
}
