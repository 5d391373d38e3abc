import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { MessageDto } from '../../conversations/messages/message.dto.js';
import { MAX_UNSAVED, ReplyWriteBuffer } from './reply-write-buffer.js';
import type { ReplyRepository } from './reply-repository.js';
import { ActiveReply } from './active-reply.js';
import type { UnsavedChunk } from './reply-repository.js';

type Failure = 'before' | 'after';

/** Stores as the database does (a number is stored once), and fails on command: before it has stored, or after. */
class PlayedStore {
  readonly rows = new Map<string, UnsavedChunk>();
  readonly deleted: number[] = [];
  statements = 0;
  failure?: Failure;
  /** What an append waits for. */
  held: Promise<void> = Promise.resolve();

  async append(chunks: UnsavedChunk[]): Promise<void> {
    if (chunks.length > 0) this.statements++;
    await this.held;
    if (this.failure === 'before') throw new Error('Away');
    for (const chunk of chunks) {
      const key = `${chunk.messageId}/${chunk.seq}`;
      if (!this.rows.has(key)) this.rows.set(key, { ...chunk });
    }
    if (this.failure === 'after') throw new Error('The answer was lost');
  }

  async deleteChunks(ids: number[]): Promise<void> {
    this.deleted.push(...ids);
  }

  textOf(messageId: number): string {
    return [...this.rows.values()]
      .filter((chunk) => chunk.messageId === messageId)
      .sort((one, other) => one.seq - other.seq)
      .map(({ text }) => text)
      .join('');
  }
}

let store: PlayedStore;
let journal: ReplyWriteBuffer;

beforeAll(() => Logger.overrideLogger(false));
beforeEach(() => {
  store = new PlayedStore();
  journal = new ReplyWriteBuffer(store as unknown as ReplyRepository);
});
afterEach(() => journal.close());

function begin(id = 1, attempt = 1): ActiveReply {
  const reply = new ActiveReply(Object.assign(new MessageDto(), { id, conversation_id: 1 }), 1, attempt);
  journal.add(reply);
  return reply;
}

/** @returns null, or what its provider waits for */
function take(reply: ActiveReply, text: string): Promise<void> | null {
  reply.append('content', text);
  return journal.grow(text.length, reply.abort.signal);
}

function say(reply: ActiveReply, text: string): void {
  void take(reply, text);
}

describe('ReplyWriteBuffer', () => {
  it('writes the text of all replies in one statement', async () => {
    const replies = [1, 2, 3].map((id) => begin(id));
    replies.forEach((reply) => say(reply, `Reply ${reply.message.id}`));

    await journal.flush();

    expect(store.statements).toBe(1);
    expect([1, 2, 3].map((id) => store.textOf(id))).toEqual(['Reply 1', 'Reply 2', 'Reply 3']);
  });

  it('writes nothing where there is nothing', async () => {
    begin();
    await journal.flush();
    expect(store.statements).toBe(0);
  });

  it.each(['before', 'after'] as const)(
    'keeps what failed %s it was stored, and its order',
    async (failure) => {
      const reply = begin();
      store.failure = failure;
      say(reply, 'One, ');
      await journal.flush();
      say(reply, 'two, ');
      await journal.flush();
      store.failure = undefined;
      say(reply, 'three.');
      await journal.flush();

      expect(store.textOf(1)).toBe('One, two, three.');
    },
  );

  it('says once that nothing can be stored, and once that it can again', async () => {
    const [warn, log] = [jest.spyOn(Logger.prototype, 'warn'), jest.spyOn(Logger.prototype, 'log')];
    const reply = begin();
    for (const failure of ['before', 'before', 'after', undefined, undefined, 'before'] as const) {
      store.failure = failure;
      say(reply, 'x');
      await journal.flush();
    }
    const said = [warn.mock.calls.length, log.mock.calls.length];
    [warn, log].forEach((spy) => spy.mockRestore());

    expect(said).toEqual([2, 1]);
  });

  it('takes what is said while a statement is under way into the next', async () => {
    const reply = begin();
    let release = () => {};
    store.held = new Promise((resolve) => (release = resolve));
    store.failure = 'after';
    say(reply, 'One, ');
    const first = journal.flush();
    say(reply, 'two.');
    release();
    await first;
    store.failure = undefined;
    await journal.flush();

    expect(store.textOf(1)).toBe('One, two.');
  });

  it('keeps the parts apart, in the order in which they came, what failed included', async () => {
    const reply = begin();
    reply.append('reasoning', 'Hm');
    reply.append('reasoning', 'm. ');
    reply.append('content', 'Yes');
    store.failure = 'before';
    await journal.flush();
    reply.append('content', '!');
    reply.append('reasoning', 'Or?');
    reply.append('content', ' No.');
    store.failure = undefined;
    await journal.flush();

    expect([...store.rows.values()].map(({ seq, part, text }) => [seq, part, text])).toEqual([
      [1, 'reasoning', 'Hmm. '],
      [2, 'content', 'Yes'],
      [3, 'content', '!'],
      [4, 'reasoning', 'Or?'],
      [5, 'content', ' No.'],
    ]);
  });

  it('keeps the chunks of a second attempt apart from those of the first', async () => {
    say(begin(1, 1), 'First');
    await journal.flush();
    say(begin(1, 2), 'Second');
    await journal.flush();

    expect(store.textOf(1)).toBe('FirstSecond');
    expect(store.rows.size).toBe(2);
  });

  it('writes nothing more of a reply once it is removed', async () => {
    const reply = begin();
    let release = () => {};
    store.held = new Promise((resolve) => (release = resolve));
    say(reply, 'One');
    const flushed = journal.flush();
    let removed = false;
    const removal = journal.remove(reply).then(() => (removed = true));
    await Promise.resolve();
    expect(removed).toBe(false);

    release();
    await Promise.all([flushed, removal]);
    say(reply, 'two');
    await journal.flush();
    expect(store.textOf(1)).toBe('One');
  });

  it('deletes the chunks of replies that have ended', async () => {
    journal.discard(7);
    await journal.flush();
    await journal.flush();
    expect(store.deleted).toEqual([7]);
  });

  it('has providers wait while too much is not stored, until it is', async () => {
    const reply = begin();
    store.failure = 'before';
    const much = 'x'.repeat(MAX_UNSAVED / 2);
    expect(take(reply, much)).toBeNull();
    const wait = take(reply, much);
    let resumed = false;
    void wait!.then(() => (resumed = true));

    await journal.flush();
    expect(resumed).toBe(false);

    store.failure = undefined;
    await journal.flush();
    await wait;
    expect(take(reply, 'more')).toBeNull();
  });

  it('counts the text of a reply that ended until its end is stored, and holds up none that is stopped', async () => {
    const [long, other] = [begin(1), begin(2)];
    store.failure = 'before';
    say(long, 'x'.repeat(MAX_UNSAVED));
    const waits = [take(other, 'y'), take(long, 'z')];

    long.abort.abort();
    await waits[1];
    let resumed = false;
    void waits[0]!.then(() => (resumed = true));
    await journal.remove(long);
    await journal.flush();
    expect(resumed).toBe(false);

    journal.discard(long.message.id);
    await waits[0];
    expect(take(other, 'more')).toBeNull();
  });
});
