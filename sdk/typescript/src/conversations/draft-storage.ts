import type { ParleyStorage } from '../auth/storage.js';
import { withLock } from '../platform/locks.js';
import type { Draft } from './outbox.js';

interface StoredDraft {
  user_id: number;
  draft: Draft;
}

/**
 * The messages that the server has not acknowledged, in their order, under one key of a storage that several tabs may
 * share. A storage that fails keeps nothing: the messages of this run are in memory as well.
 */
export class DraftStorage {
  /** Whose messages are kept and read. */
  userId: number | undefined;
  private queue: Promise<unknown>;

  /**
   * @param restored resolves once the messages of an earlier run are back in their conversations; at first, once it is
   *   known who is signed in
   */
  constructor(
    private readonly storage: ParleyStorage,
    private readonly key: string,
    public restored: Promise<void>,
  ) {
    this.queue = restored;
  }

  async read(): Promise<Draft[]> {
    const { userId } = this;
    let drafts: StoredDraft[] = [];
    await this.run(async () => void (drafts = await this.load()));
    return drafts.filter(({ user_id }) => user_id === userId).map(({ draft }) => draft);
  }

  add(draft: Draft): void {
    const { userId } = this;
    this.change((drafts) => {
      const user_id = userId ?? this.userId;
      if (user_id === undefined) return drafts;
      const added = { user_id, draft };
      return drafts.some((each) => isSame(each, draft))
        ? drafts.map((each) => (isSame(each, draft) ? added : each))
        : [...drafts, added];
    });
  }

  delete(draft: Draft): void {
    this.change((drafts) => without(drafts, draft));
  }

  /** Deletes the user's messages. */
  clear(): void {
    const { userId } = this;
    this.change((drafts) => drafts.filter(({ user_id }) => user_id !== userId));
  }

  /** Resolves once `restored` does, also where it is replaced in the meantime. */
  async whenRestored(): Promise<void> {
    for (let last; last !== this.restored;) await (last = this.restored);
  }

  private change(edit: (drafts: StoredDraft[]) => StoredDraft[]): void {
    void this.run(() =>
      withLock(this.key, async () => {
        const before = await this.load();
        const after = edit(before);
        if (after.length > 0) await this.storage.setItem(this.key, JSON.stringify(after));
        else if (before.length > 0) await this.storage.removeItem(this.key);
      }),
    );
  }

  private async load(): Promise<StoredDraft[]> {
    const stored: unknown = JSON.parse((await this.storage.getItem(this.key)) ?? '[]');
    return Array.isArray(stored) ? (stored as StoredDraft[]).filter((each) => each?.draft?.body) : [];
  }

  private run(operation: () => Promise<void>): Promise<void> {
    const done = this.queue.then(operation).catch(() => undefined);
    this.queue = done;
    return done;
  }
}

const isSame = ({ draft }: StoredDraft, { body }: Draft) =>
  draft.body.client_message_id === body.client_message_id;

const without = (drafts: StoredDraft[], draft: Draft) => drafts.filter((each) => !isSame(each, draft));
