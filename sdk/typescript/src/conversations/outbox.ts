import { ParleyError } from '../error.js';
import { Emitter } from '../emitter.js';
import type { StoredFile } from '../rest/types.gen.js';
import type { Upload } from '../files/upload.js';
import { Retries } from '../http/retries.js';
import type { ChatEdit, ChatSend, Turn } from '../rest/types.gen.js';
import { type ChatMessage, pendingView } from './chat-message.js';
import { Reply } from './reply.js';

type Identified = { client_message_id: string };

/** A message to deliver: a new one, or an edit of an earlier one. */
export type Draft = (
  | { command: 'chat.send'; body: ChatSend & Identified }
  | { command: 'chat.edit'; body: ChatEdit & Identified }
) & {
  /** Names of files that are not uploaded; their bytes are in memory alone. */
  missing?: string[];
};

export interface OutboxEntry {
  readonly draft: Draft;
  /** To be sent with the message, once they are done. */
  readonly uploads: readonly Upload[];
  readonly view: ChatMessage;
  readonly reply: Reply;
  /** Whether the server may have the message. */
  isSent: boolean;
}

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
  /** Appends a message, or changes it in its place. */
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

  /** @param kept files of an edited message, to be shown */
  add(draft: Draft, uploads?: readonly Upload[], kept?: readonly StoredFile[]): Reply {
    const entry = entryOf(draft, uploads, kept);
    this.keeper.add(draft);
    this.change([...this.list, entry]);
    void this.work();
    return entry.reply;
  }

  /** Puts messages of an earlier run before the others. @returns the entries that are new */
  restore(drafts: readonly Draft[]): readonly OutboxEntry[] {
    const known = new Set(this.list.map(({ view }) => view.key));
    const entries = drafts
      .filter(({ body }) => !known.has(body.client_message_id))
      .map((draft) => entryOf(draft));
    this.change([...entries, ...this.list]);
    void this.work();
    return entries;
  }

  /** Sends a rejected message again, as the last one. */
  retry(key: string): Reply | null {
    const isRejected = this.list.some(({ view }) => view.key === key && view.status === 'rejected');
    const entry = isRejected && this.take(key);
    if (!entry) return null;
    const { draft, uploads, view } = entry;
    uploads.forEach((upload) => upload.retry());
    return this.add(draft, uploads, view.files);
  }

  remove(key: string): void {
    const entry = this.take(key);
    if (entry) giveUp(entry, new ParleyError('removed', 'The message was removed before it was sent.'));
  }

  /** Removes a message that was not sent. */
  withdraw(key: string): void {
    const entry = this.list.find(({ view }) => view.key === key);
    if (!entry || entry.isSent) return;
    this.take(key);
    giveUp(entry, new ParleyError('aborted', 'The message was aborted before it was sent.'));
  }

  /** Rejects everything; what is kept for the next run stays. */
  clear(error: ParleyError): void {
    const entries = this.list;
    this.change([]);
    entries.forEach((entry) => giveUp(entry, error));
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
    const retries = new Retries();
    const draft = await this.withFiles(entry);
    for (;;) {
      await this.whenReady(entry);
      this.requireListed(entry);
      entry.isSent = true;
      try {
        return await this.delivery.deliver(draft);
      } catch (error) {
        this.requireListed(entry);
        await this.wait(retries.nextMs(error));
      }
    }
  }

  /** Waits until all files are uploaded. */
  private async withFiles({ draft, uploads }: OutboxEntry): Promise<Draft> {
    const { missing, ...rest } = draft;
    if (!missing) return draft;
    if (uploads.length < missing.length) throw filesLost(missing);
    const file_ids = (await Promise.all(uploads.map(({ done }) => done))).map(({ id }) => id);
    const whole = { ...rest, body: { ...rest.body, file_ids } } as Draft;
    this.keeper.add(whole);
    return whole;
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

const entryOf = (
  draft: Draft,
  uploads: readonly Upload[] = [],
  kept: readonly StoredFile[] = [],
): OutboxEntry => ({
  draft,
  uploads,
  view: pendingView(draft.body, uploads, kept),
  reply: new Reply(),
  isSent: false,
});

function giveUp({ uploads, reply }: OutboxEntry, error: ParleyError): void {
  uploads.forEach((upload) => upload.abort(error));
  reply.fail(error);
}

const filesLost = (names: string[]) =>
  new ParleyError('files_lost', `The page was closed before these files were uploaded: ${names.join(', ')}.`);
