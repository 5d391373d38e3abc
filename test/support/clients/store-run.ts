import { expect } from '@jest/globals';
import type {
  ChatMessage,
  ConversationSnapshot,
  ConversationStore,
  Message,
  ParleyError,
  Reply,
} from '../../../sdk/typescript/src/index.js';
import { comparable, ConversationModel, knownPart } from '../model/conversation-model.js';
import { PlayedRun } from './played-run.js';

const ID = 1;

interface Sent {
  /** Null once its page is gone. */
  reply: Reply | null;
  content: string;
  text: Promise<string | null>;
  failure: ParleyError | null;
}

/** A conversation of a played client, compared with its model. */
export class StoreRun extends PlayedRun {
  readonly model = new ConversationModel(ID, (event) => this.network.publish(event, ID));
  private readonly sent: Sent[] = [];
  private endsReplies = false;
  private before: ConversationSnapshot;

  constructor(answersFirst: boolean) {
    super();
    this.network.answersFirst = answersFirst;
    this.network.server.conversations.set(ID, this.model);
    this.before = this.snapshot;
    this.watch(this.conversation);
  }

  /** What was sent is delivered all the same; its replies belong to the page that is gone. */
  override async reload(): Promise<void> {
    await super.reload();
    this.sent.forEach((each) => (each.reply = null));
    this.before = this.snapshot;
    this.watch(this.conversation);
  }

  private get conversation(): ConversationStore {
    return this.parley.conversation(ID);
  }

  get snapshot(): ConversationSnapshot {
    return this.conversation.getSnapshot();
  }

  /** Messages that are shown and stored. */
  get stored(): ChatMessage[] {
    return this.snapshot.messages.filter(({ id }) => id !== null);
  }

  /** The conversation is open, and a reply runs in it. */
  async begin(): Promise<void> {
    this.model.send({ content: 'First' });
    await this.arrive();
    await this.arrive();
  }

  /** The conversation is open, and has three replies to one message. */
  async beginWithBranches(): Promise<void> {
    let { id } = this.model.send({ content: 'First' }).assistant_message;
    for (let n = 0; n < 2; n++) {
      this.model.end();
      id = this.model.regenerate(id).assistant_message.id;
    }
    this.model.end();
    await this.arrive();
  }

  send(): void {
    this.track(`Message ${this.sent.length}`, (content) => this.conversation.send(content));
  }

  edit(n: number): void {
    const asked = this.stored.filter(({ role }) => role === 'user');
    const id = asked[n % asked.length]?.id;
    if (id) this.track(`Edit ${this.sent.length}`, (content) => this.conversation.edit(id, content));
  }

  regenerate(): void {
    this.conversation.regenerate();
  }

  stop(): void {
    this.conversation.stop().catch(() => undefined);
  }

  loadEarlier(): void {
    this.conversation.loadEarlier(4).catch(() => undefined);
  }

  activate(n: number): void {
    const siblings = this.stored.flatMap(({ id, sibling_ids }) => sibling_ids.filter((each) => each !== id));
    const id = siblings[n % siblings.length];
    if (id) this.conversation.activate(id).catch(() => undefined);
  }

  /** What holds at any moment, whatever has arrived. */
  check(): void {
    const { before, snapshot } = this;
    if (before === snapshot) return;
    this.before = snapshot;
    const wrong = [
      ...this.wrongOrder(snapshot),
      ...this.stored.flatMap((each) => this.wrongText(each, before)),
    ];
    if (wrong.length > 0) expect({ wrong, snapshot }).toEqual({ wrong: [] });
  }

  /** What holds once everything has arrived, and again once the running reply has ended. */
  async checkEnd(): Promise<void> {
    // A delta that was lost is noticed by the next one of its part.
    this.model.say('.');
    this.model.say('.', 'reasoning');
    await this.settle();
    this.checkShown();
    this.endsReplies = true;
    await this.settle();
    this.checkShown();
    for (const each of this.sent) await this.checkSent(each);
    const contents = this.model.messages.filter(({ role }) => role === 'user').map(({ content }) => content);
    const delivered = this.sent.map(({ content }) => content);
    expect(contents.filter((content) => delivered.includes(content))).toEqual(delivered);
    await this.checkDeletion();
  }

  private checkShown(): void {
    const { snapshot, model } = this;
    const { branch } = model;
    const oldestRead = this.network.server.newestPage!.messages[0];
    const known = knownPart(branch, snapshot.messages.length, oldestRead);
    expect(snapshot.status).toBe('ready');
    const shown = snapshot.messages.map(storedFields);
    expect(comparable(shown, oldestRead)).toEqual(comparable(known, oldestRead));
    expect(snapshot.hasMore).toBe(snapshot.messages.length < branch.length);
    expect(snapshot.conversation).toEqual(model.conversation);
  }

  private async checkDeletion(): Promise<void> {
    this.send();
    this.model.delete();
    await this.settle();
    expect(this.snapshot).toMatchObject({ status: 'deleted', messages: [], running: null });
    expect(this.sent.at(-1)!.failure).toMatchObject({ code: 'not_found' });
  }

  protected override get isBusy(): boolean {
    const { messages, status } = this.snapshot;
    const isWaiting = messages.some((each) => each.status === 'sending');
    return isWaiting || !['ready', 'deleted'].includes(status);
  }

  /** Ends a reply for which messages wait. */
  protected override goOn(): boolean {
    const isWaitedFor = this.snapshot.messages.some(({ status }) => status === 'sending');
    const ends = this.model.running !== undefined && (this.endsReplies || isWaitedFor);
    if (ends) this.model.end();
    return ends;
  }

  private get isEditing(): boolean {
    const { messages } = this.snapshot;
    return messages.some(({ content, status }) => status === 'sending' && content.startsWith('Edit'));
  }

  private track(content: string, send: (content: string) => Reply): void {
    const reply = send(content);
    const sent: Sent = { reply, content, text: textOf(reply), failure: null };
    reply.accepted.catch((error: ParleyError) => (sent.failure = error));
    this.sent.push(sent);
  }

  private wrongOrder({ messages, running, hasMore }: ConversationSnapshot): string[] {
    const { stored } = this;
    const last = stored.at(-1);
    const rules = {
      'a message appears twice': new Set(messages.map(({ key }) => key)).size < messages.length,
      'stored messages follow others': messages.slice(0, stored.length).some(({ id }) => id === null),
      'the branch has a gap': stored.some(({ parent_id }, n) => n > 0 && parent_id !== stored[n - 1]!.id),
      'the first message is missing': !hasMore && stored.length > 0 && stored[0]!.parent_id !== null,
      'a reply runs before others':
        !this.network.hasStreamed && stored.slice(0, -1).some(({ status }) => status === 'streaming'),
      // An edit under way takes the place of what followed, a running reply included.
      'the running reply is another':
        !this.isEditing && running !== (last?.status === 'streaming' ? last : null),
    };
    return Object.entries(rules).flatMap(([rule, isBroken]) => (isBroken ? [rule] : []));
  }

  private wrongText(message: ChatMessage, before: ConversationSnapshot): string[] {
    const { id, content, reasoning, status } = message;
    const actual = this.model.messages.find((each) => each.id === id)!;
    const known = before.messages.find((each) => each.id === id);
    const taken = this.model.takenBack.get(id!);
    const isPart = (text: string, whole: string) =>
      whole.startsWith(text) || taken?.some((each) => each.startsWith(text));
    const hasEnded = status !== 'streaming';
    const rules = {
      'its text is wrong': !isPart(content, actual.content) || !isPart(reasoning, actual.reasoning),
      'it ended with another text':
        hasEnded && (content !== actual.content || reasoning !== actual.reasoning),
      'it ended otherwise': hasEnded && status !== actual.status,
      'it runs again': known && known.status !== 'streaming' && status !== known.status,
      'its text went back':
        !taken &&
        known &&
        (content.length < known.content.length || reasoning.length < known.reasoning.length),
    };
    return Object.entries(rules).flatMap(([rule, isBroken]) => (isBroken ? [`${id}: ${rule}`] : []));
  }

  private async checkSent({ reply, content, text, failure }: Sent): Promise<void> {
    const asked = this.model.messages.filter((each) => each.content === content);
    expect(asked).toHaveLength(1);
    if (!reply) return;
    expect(failure).toBeNull();
    const done = await reply.done;
    expect(done.parent_id).toBe(asked[0]!.id);
    const actual = this.model.messages.find(({ id }) => id === done.id)!;
    expect(done).toMatchObject(fixedOf(actual));
    if (!this.model.takenBack.has(done.id)) expect(await text).toBe(done.content);
  }
}

const fixedOf = ({ content, reasoning, status, parent_id, role }: Message) => ({
  content,
  reasoning,
  status,
  parent_id,
  role,
});

function storedFields({ key: _key, failure: _failure, uploads: _uploads, ...fields }: ChatMessage) {
  return fields;
}

async function textOf(reply: Reply): Promise<string | null> {
  let text = '';
  try {
    for await (const piece of reply) text += piece;
    return text;
  } catch {
    return null;
  }
}
