import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { MessageDto } from '../../conversations/messages/message.dto.js';
import { MAX_UNSAVED, ReplyWriteBuffer } from './reply-write-buffer.js';
import type { ReplyRepository } from './reply-repository.js';
import { ActiveReply } from './active-reply.js';
import type { UnsavedChunk } from './reply-repository.js';

type Failure = 'before' | 'after';

/** Stores each chunk number once, as the database does. Fails on request, before or after storing. */
class FakeRepository {
  readonly rows = new Map<string, UnsavedChunk>();
  readonly deleted: number[] = [];
  statements = 0;
  failure?: Failure;
  /** Delays every append. */
  held: Promise<void> = Promise.resolve();

  async append(chunks: UnsavedChunk[]): Promise<void> {
    if (chunks.length > 0) this.statements++;
    await this.held;
    if (this.failure === 'before') throw new Error('Unavailable');
    for (const chunk of chunks) {
      const key = `${chunk.messageId}/${chunk.seq}`;
      if (!this.rows.has(key)) this.rows.set(key, { ...chunk });
    }
    if (this.failure === 'after') throw new Error('Connection lost');
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

let repository: FakeRepository;
let buffer: ReplyWriteBuffer;

beforeAll(() => Logger.overrideLogger(false));
beforeEach(() => {
  repository = new FakeRepository();
  buffer = new ReplyWriteBuffer(repository as unknown as ReplyRepository);
});
afterEach(() => buffer.close());

function start(id = 1, attempt = 1): ActiveReply {
  const reply = new ActiveReply(Object.assign(new MessageDto(), { id, conversation_id: 1 }), 1, attempt);
  buffer.add(reply);
  return reply;
}

/** @returns as {@link ReplyWriteBuffer.grow} */
function grow(reply: ActiveReply, text: string): Promise<void> | null {
  reply.append('content', text);
  return buffer.grow(text.length, reply.signal);
}

function append(reply: ActiveReply, text: string): void {
  void grow(reply, text);
}

describe('ReplyWriteBuffer', () => {
  it('measures how long text waits, and nothing without such text', async () => {
    expect(buffer.unsavedMs).toBe(0);
    append(start(), 'Hi');
    expect(buffer.unsavedMs).toBeGreaterThan(0);

    await buffer.flush();

    expect(buffer.unsavedMs).toBe(0);
  });

  it('writes the text of all replies in one statement', async () => {
    const replies = [1, 2, 3].map((id) => start(id));
    replies.forEach((reply) => append(reply, `Reply ${reply.message.id}`));

    await buffer.flush();

    expect(repository.statements).toBe(1);
    expect([1, 2, 3].map((id) => repository.textOf(id))).toEqual(['Reply 1', 'Reply 2', 'Reply 3']);
  });

  it('writes text within 200 ms of its arrival', async () => {
    await buffer.close();
    jest.useFakeTimers();
    try {
      buffer = new ReplyWriteBuffer(repository as unknown as ReplyRepository);
      const reply = start();
      for (const text of ['One, ', 'One, two, ', 'One, two, three.']) {
        append(reply, text.slice(repository.textOf(1).length));
        await jest.advanceTimersByTimeAsync(200);
        expect(repository.textOf(1)).toBe(text);
      }
    } finally {
      jest.useRealTimers();
    }
  });

  it('skips a write without text', async () => {
    start();
    await buffer.flush();
    expect(repository.statements).toBe(0);
  });

  it.each(['before', 'after'] as const)(
    'retries text whose write failed %s it was stored, in order',
    async (failure) => {
      const reply = start();
      repository.failure = failure;
      append(reply, 'One, ');
      await buffer.flush();
      append(reply, 'two, ');
      await buffer.flush();
      repository.failure = undefined;
      append(reply, 'three.');
      await buffer.flush();

      expect(repository.textOf(1)).toBe('One, two, three.');
    },
  );

  it('logs the first failure and the first success after it', async () => {
    const [warn, log] = [jest.spyOn(Logger.prototype, 'warn'), jest.spyOn(Logger.prototype, 'log')];
    const reply = start();
    for (const failure of ['before', 'before', 'after', undefined, undefined, 'before'] as const) {
      repository.failure = failure;
      append(reply, 'x');
      await buffer.flush();
    }
    const lines = [warn.mock.calls.length, log.mock.calls.length];
    [warn, log].forEach((spy) => spy.mockRestore());

    expect(lines).toEqual([2, 1]);
  });

  it('writes text that arrives during a write with the next', async () => {
    const reply = start();
    let release = () => {};
    repository.held = new Promise((resolve) => (release = resolve));
    repository.failure = 'after';
    append(reply, 'One, ');
    const first = buffer.flush();
    append(reply, 'two.');
    release();
    await first;
    repository.failure = undefined;
    await buffer.flush();

    expect(repository.textOf(1)).toBe('One, two.');
  });

  it('writes the parts as separate chunks in order of arrival, also after a failure', async () => {
    const reply = start();
    reply.append('reasoning', 'Hm');
    reply.append('reasoning', 'm. ');
    reply.append('content', 'Yes');
    repository.failure = 'before';
    await buffer.flush();
    reply.append('content', '!');
    reply.append('reasoning', 'Or?');
    reply.append('content', ' No.');
    repository.failure = undefined;
    await buffer.flush();

    expect([...repository.rows.values()].map(({ seq, part, text }) => [seq, part, text])).toEqual([
      [1, 'reasoning', 'Hmm. '],
      [2, 'content', 'Yes'],
      [3, 'content', '!'],
      [4, 'reasoning', 'Or?'],
      [5, 'content', ' No.'],
    ]);
  });

  it('numbers the chunks of each attempt separately', async () => {
    append(start(1, 1), 'First');
    await buffer.flush();
    append(start(1, 2), 'Second');
    await buffer.flush();

    expect(repository.textOf(1)).toBe('FirstSecond');
    expect(repository.rows.size).toBe(2);
  });

  it('writes no text of a removed reply', async () => {
    const reply = start();
    let release = () => {};
    repository.held = new Promise((resolve) => (release = resolve));
    append(reply, 'One');
    const flushed = buffer.flush();
    let removed = false;
    const removal = buffer.remove(reply).then(() => (removed = true));
    await Promise.resolve();
    expect(removed).toBe(false);

    release();
    await Promise.all([flushed, removal]);
    append(reply, 'two');
    await buffer.flush();
    expect(repository.textOf(1)).toBe('One');
  });

  it('deletes the chunks of ended replies once', async () => {
    buffer.discard(7);
    await buffer.flush();
    await buffer.flush();
    expect(repository.deleted).toEqual([7]);
  });

  it('makes providers wait while too much text is unsaved', async () => {
    const reply = start();
    repository.failure = 'before';
    const much = 'x'.repeat(MAX_UNSAVED / 2);
    expect(grow(reply, much)).toBeNull();
    const wait = grow(reply, much);
    let resumed = false;
    void wait!.then(() => (resumed = true));

    await buffer.flush();
    expect(resumed).toBe(false);

    repository.failure = undefined;
    await buffer.flush();
    await wait;
    expect(grow(reply, 'more')).toBeNull();
  });

  it('counts the text of an ended reply until its end is stored, and does not make an aborted reply wait', async () => {
    const [long, other] = [start(1), start(2)];
    repository.failure = 'before';
    append(long, 'x'.repeat(MAX_UNSAVED));
    const waits = [grow(other, 'y'), grow(long, 'z')];

    long.abort('stopped');
    await waits[1];
    let resumed = false;
    void waits[0]!.then(() => (resumed = true));
    await buffer.remove(long);
    await buffer.flush();
    expect(resumed).toBe(false);

    buffer.discard(long.message.id);
    await waits[0];
    expect(grow(other, 'more')).toBeNull();
  });
});
