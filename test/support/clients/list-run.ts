import { expect } from '@jest/globals';
import type { ConversationListSnapshot, UpdateConversation } from '../../../sdk/typescript/src/index.js';
import { ListModel } from '../model/list-model.js';
import { PlayedRun } from './played-run.js';

/** The list of conversations of a played client, compared with its model. */
export class ListRun extends PlayedRun {
  readonly model = new ListModel((event) => this.network.publish(event, 0));
  private before: ConversationListSnapshot | null = null;
  private readonly deleted = new Set<number>();

  constructor() {
    super();
    this.network.server.list = this.model;
    for (let n = 0; n < 24; n++) this.model.create({ title: `Title ${n}` });
    this.watch(this.list);
  }

  override async reload(): Promise<void> {
    await super.reload();
    this.watch(this.list);
  }

  create(): void {
    void this.list.create({ title: 'Mine' }).catch(() => undefined);
  }

  update(n: number, changes: UpdateConversation): void {
    const id = this.shown(n);
    if (id) void this.list.update(id, changes).catch(() => undefined);
  }

  delete(n: number): void {
    const { list } = this;
    const id = this.shown(n);
    if (!id) return;
    const answered = () => {
      // A page that was loaded again meanwhile does not receive the answer.
      if (list === this.list) this.deleted.add(id);
    };
    void list.delete(id).then(answered, () => undefined);
  }

  loadMore(): void {
    void this.list.loadMore(5).catch(() => undefined);
  }

  refresh(): void {
    void this.list.refresh().catch(() => undefined);
  }

  /** What holds at any moment, whatever has arrived. */
  check(): void {
    const snapshot = this.list.getSnapshot();
    if (snapshot === this.before) return;
    this.before = snapshot;
    const { conversations } = snapshot;
    const ids = conversations.map(({ id }) => id);
    const rules = {
      'a conversation appears twice': new Set(ids).size < ids.length,
      'an archived conversation is shown': conversations.some(({ archived }) => archived),
      'a deleted conversation is shown': ids.some((id) => this.deleted.has(id)),
      'they are out of order': conversations.some(
        (each, n) => n > 0 && ListModel.compare(conversations[n - 1]!, each) > 0,
      ),
    };
    const wrong = Object.entries(rules).flatMap(([rule, isBroken]) => (isBroken ? [rule] : []));
    if (wrong.length > 0) expect({ wrong, conversations }).toEqual({ wrong: [] });
  }

  /** What holds once everything has arrived, and once all pages are loaded. */
  async checkEnd(): Promise<void> {
    const { conversations } = this.list.getSnapshot();
    const { listed } = this.model;
    expect(conversations).toEqual(listed.filter(({ id }) => conversations.some((each) => each.id === id)));
    while (this.list.getSnapshot().hasMore) {
      this.loadMore();
      await this.settle();
    }
    expect(this.list.getSnapshot()).toMatchObject({ status: 'ready', conversations: this.model.listed });
  }

  protected override get isBusy(): boolean {
    return this.list.getSnapshot().status !== 'ready';
  }

  private get list() {
    return this.parley.conversations;
  }

  private shown(n: number): number | undefined {
    const { conversations } = this.list.getSnapshot();
    return conversations[n % conversations.length]?.id;
  }
}
