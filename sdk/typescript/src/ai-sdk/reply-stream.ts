import type { UIMessageChunk } from 'ai' with { 'resolution-mode': 'import' };
import { signedOutError } from '../auth/session-tokens.js';
import type { ChatMessage } from '../conversations/chat-message.js';
import type { Conversation } from '../conversations/conversation.js';
import type { Parley } from '../parley.js';
import type { Message } from '../rest/types.gen.js';
import { ReplyChunks } from './reply-chunks.js';
import { stopReply } from './stop-reply.js';

/** One reply as a stream of chunks, from its beginning. Cancelling it leaves the reply running; aborting stops it. */
export class ReplyStream {
  private readonly chunks = new ReplyChunks();
  private controller!: ReadableStreamDefaultController<UIMessageChunk>;
  private isOver = false;
  private readonly endings: (() => void)[] = [];

  /** @param signal stops the reply on the server */
  constructor(
    private readonly parley: Parley,
    private readonly conversation: Conversation,
    private readonly reply: Message,
    private readonly signal: AbortSignal | undefined,
  ) {}

  start(controller: ReadableStreamDefaultController<UIMessageChunk>): void {
    this.controller = controller;
    const { reply } = this;
    const known = reply.status === 'streaming' ? this.find() : reply;
    if (known) this.update(known);
    if (!this.isOver) this.listen();
  }

  cancel(): void {
    this.isOver = true;
    this.endings.splice(0).forEach((end) => end());
  }

  private listen(): void {
    const { parley, conversation, reply, signal } = this;
    const stop = () => void stopReply(parley, conversation, reply.id).catch(() => undefined);
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    this.endings.push(
      () => signal?.removeEventListener('abort', stop),
      parley.auth.onSignedOut((_reason, error) => this.fail(signedOutError(error))),
      // The reply may end on a branch that another device has left.
      parley.connection.events.on(({ type, body }) => {
        if (type === 'message.completed' && body.message.id === reply.id) this.update(body.message);
      }),
      conversation.subscribe(() => this.follow()),
    );
    if (this.isOver) this.cancel();
  }

  private follow(): void {
    const { status, error } = this.conversation.getSnapshot();
    const message = this.find();
    if (message) this.update(message);
    else if (status === 'deleted' || status === 'failed') this.fail(error);
  }

  private find(): ChatMessage | undefined {
    return this.conversation.getSnapshot().messages.find(({ id }) => id === this.reply.id);
  }

  private update(message: Message | ChatMessage): void {
    if (this.isOver) return;
    for (const chunk of this.chunks.next(message)) this.controller.enqueue(chunk);
    if (message.status === 'streaming') return;
    this.cancel();
    this.controller.close();
  }

  private fail(error: unknown): void {
    if (this.isOver) return;
    this.cancel();
    this.controller.error(error);
  }
}
