import { ParleyError } from '../error.js';
import { Emitter } from '../emitter.js';
import { Backoff } from '../platform/backoff.js';
import type { ChatEdit, ChatSend, Turn } from '../rest/types.gen.js';
import { type ChatMessage, pendingView } from './chat-message.js';
import { Reply } from './reply.js';

type Identified = { client_message_id: string };

/** A message to deliver: a new one, or an edit of an earlier one. */
export type Draft =
  | { command: 'chat.send'; body: ChatSend & Identified }
  | { command: 'chat.edit'; body: ChatEdit & Identified };

export interface OutboxEntry {
  readonly draft: Draft;
  readonly view: ChatMessage;
  readonly reply: Reply;
}

/** Refusals of a moment; every other 4xx is final. */
const TEMPORARY = new Set([408, 425, 429]);
/** A wait that a person would not sit through, such as that for the next day's quota. */
const MAX_WAIT_S = 60;
/** How often a fault of the server's (500) is tried again. */
const MAX_FAULTS = 5;

export interface OutboxDelivery {
  /** Whether the message with this key may be sent: not while another reply runs. */
  isReady(key: string): boolean;
  /** Delivers over whatever works. Repeating it is safe. */
  deliver(draft: Draft): Promise<Turn>;
  accepted(entry: OutboxEntry, turn: Turn): void;
}

/** Keeps messages until they are delivered, rejected or removed. */
export interface DraftKeeper {
  whenRestored(): Promise<void>;
  add(draft: Draft): void;
  delete(draft: Draft): void;
}

/** The messages of one conversation that the server has not acknowledged: delivered in order, each until it is. */
export class Outbox {
  readonly changed = new Emitter<[]>();
  private list: readonly OutboxEntry[] = [];
  private working = false;
  /** To be called when a message that was not ready may be. */
  recheck: () => void = () => undefined;
  private cutShort: () => void = () => undefined;

  constructor(
    private readonly keeper: DraftKeeper,
    private readonly delivery: OutboxDelivery,
  ) {}

  get entries(): readonly OutboxEntry[] {
    return this.list;
  }

  add(draft: Draft): Reply {
    const entry = entryOf(draft);
    this.keeper.add(draft);
    this.change([...this.list, entry]);
    void this.work();
    return entry.reply;
  }

  /** Puts messages of an earlier run before the others. @returns the entries that are new */
  restore(drafts: readonly Draft[]): readonly OutboxEntry[] {
    const known = new Set(this.list.map(({ view }) => view.key));
    const entries = drafts.filter(({ body }) => !known.has(body.client_message_id)).map(entryOf);
    this.change([...entries, ...this.list]);
    void this.work();
    return entries;
  }

  /** Sends a rejected message again, as the last one. */
  retry(key: string): Reply | null {
    const isRejected = this.list.some(({ view }) => view.key === key && view.status === 'rejected');
    const entry = isRejected && this.take(key);
    return entry ? this.add(entry.draft) : null;
  }

  remove(key: string): void {
    this.take(key)?.reply.fail(new ParleyError('removed', 'The message was removed before it was sent.'));
  }

  /** Rejects everything; what is kept for the next run stays. */
  clear(error: ParleyError): void {
    const entries = this.list;
    this.change([]);
    entries.forEach(({ reply }) => reply.fail(error));
  }

  /** Gives up everything that is kept for the next run. */
  discard(): void {
    this.list.forEach(({ draft }) => this.keeper.delete(draft));
  }

  /** Ends a wait, because the connection is back. */
  hurry(): void {
    this.cutShort();
  }

  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    await this.keeper.whenRestored();
    for (let entry; (entry = this.next());) await this.deliver(entry);
    this.working = false;
  }

  private next(): OutboxEntry | undefined {
    return this.list.find(({ view }) => view.status === 'sending');
  }

  private async deliver(entry: OutboxEntry): Promise<void> {
    try {
      const turn = await this.deliverUntilAnswered(entry);
      if (!this.list.includes(entry)) return;
      this.keeper.delete(entry.draft);
      this.delivery.accepted(entry, turn);
      this.change(this.list.filter((each) => each !== entry));
    } catch (error) {
      this.reject(entry, error as ParleyError);
    }
  }

  private async deliverUntilAnswered(entry: OutboxEntry): Promise<Turn> {
    const backoff = new Backoff(500, 10_000);
    for (let faults = 0; ;) {
      await this.whenReady(entry);
      this.requireListed(entry);
      try {
        return await this.delivery.deliver(entry.draft);
      } catch (error) {
        this.requireListed(entry);
        if (error instanceof ParleyError && error.status === 500) faults++;
        if (!isTemporary(error) || faults > MAX_FAULTS) throw error;
        await this.wait(backoff.nextMs(error.retryAfter));
      }
    }
  }

  private async whenReady(entry: OutboxEntry): Promise<void> {
    while (this.list.includes(entry) && !this.delivery.isReady(entry.view.key)) {
      await new Promise<void>((resolve) => (this.recheck = resolve));
    }
  }

  private requireListed(entry: OutboxEntry): void {
    if (!this.list.includes(entry)) throw new ParleyError('removed', 'The message was removed.');
  }

  private reject(entry: OutboxEntry, error: ParleyError): void {
    if (this.list.includes(entry)) this.keeper.delete(entry.draft);
    const view: ChatMessage = { ...entry.view, status: 'rejected', failure: error };
    this.change(this.list.map((each) => (each === entry ? { ...entry, view } : each)));
    entry.reply.fail(error);
  }

  private take(key: string): OutboxEntry | undefined {
    const entry = this.list.find(({ view }) => view.key === key);
    if (!entry) return undefined;
    this.keeper.delete(entry.draft);
    this.change(this.list.filter((each) => each !== entry));
    return entry;
  }

  private change(list: readonly OutboxEntry[]): void {
    this.list = list;
    this.changed.emit();
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.cutShort = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const entryOf = (draft: Draft): OutboxEntry => ({ draft, view: pendingView(draft.body), reply: new Reply() });

/** Whether the same request may succeed later. */
export function isTemporary(error: unknown): error is ParleyError {
  if (!(error instanceof ParleyError)) return false;
  const { status, code, retryAfter } = error;
  if (code === 'reply_in_progress') return true;
  if ((retryAfter ?? 0) > MAX_WAIT_S) return false;
  return status === 0 || status >= 500 || TEMPORARY.has(status) || code === 'token_expired';
}
