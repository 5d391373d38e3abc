import { Emitter } from '../emitter.js';
import type { ParleyError } from '../error.js';
import type { Message, Turn } from '../rest/types.gen.js';

/**
 * A reply under way. Iterate over it to get its text piece by piece; `done` resolves with the whole message. Breaking
 * out of the loop does not stop the reply.
 */
export class Reply implements AsyncIterable<string> {
  /** Resolves when the server has stored the message, with it and the reply's beginning. */
  readonly accepted: Promise<Turn>;
  /**
   * Resolves with the reply once it has ended, whatever its `status`: also `failed`, `stopped` or `interrupted`.
   * Rejects when the message was refused or removed.
   */
  readonly done: Promise<Message>;
  private message: Message | null = null;
  private ended = false;
  private error: ParleyError | null = null;
  private readonly changed = new Emitter<[]>();
  private resolveAccepted!: (turn: Turn) => void;
  private rejectAccepted!: (error: ParleyError) => void;
  private resolveDone!: (message: Message) => void;
  private rejectDone!: (error: ParleyError) => void;

  /** @internal */
  constructor() {
    this.accepted = new Promise((resolve, reject) => {
      [this.resolveAccepted, this.rejectAccepted] = [resolve, reject];
    });
    this.done = new Promise((resolve, reject) => {
      [this.resolveDone, this.rejectDone] = [resolve, reject];
    });
    // A user interface shows the failed message and may ignore both.
    this.accepted.catch(() => undefined);
    this.done.catch(() => undefined);
  }

  /** Id of the reply; null until the server has stored the message. */
  get id(): number | null {
    return this.message?.id ?? null;
  }

  /** @internal */
  get isOver(): boolean {
    return this.ended;
  }

  /** @internal */
  accept(turn: Turn): void {
    this.resolveAccepted(turn);
    this.update(turn.assistant_message);
  }

  /** @internal */
  update(message: Message): void {
    if (this.ended || message === this.message) return;
    this.message = message;
    this.ended = message.status !== 'streaming';
    this.changed.emit();
    if (this.ended) this.resolveDone(message);
  }

  /** @internal */
  fail(error: ParleyError): void {
    if (this.ended) return;
    this.ended = true;
    this.error = error;
    this.rejectAccepted(error);
    this.rejectDone(error);
    this.changed.emit();
  }

  /**
   * The reply's text as it arrives; together, the pieces are its `content`. In the rare case that the reply starts
   * again (`message.restarted`), its text follows from the beginning.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    let [given, text] = ['', ''];
    let notify: () => void = () => undefined;
    const take = () => {
      const content = this.message?.content ?? '';
      // After a reconnect, another node may be behind for a moment.
      if (!given.startsWith(content)) {
        text += content.startsWith(given) ? content.slice(given.length) : content;
        given = content;
      }
      notify();
    };
    take();
    const unsubscribe = this.changed.on(take);
    try {
      for (;;) {
        const piece = text;
        text = '';
        if (piece) yield piece;
        else if (this.error) throw this.error;
        else if (this.ended) return;
        else await new Promise<void>((resolve) => (notify = resolve));
      }
    } finally {
      unsubscribe();
    }
  }
}
