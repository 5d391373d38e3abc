import type { ChatTransport, UIMessage, UIMessageChunk } from 'ai' with { 'resolution-mode': 'import' };
import type { Conversation } from '../conversations/conversation.js';
import type { Reply } from '../conversations/reply.js';
import type { SendOptions } from '../conversations/services.js';
import type { ConversationSnapshot } from '../conversations/snapshot.js';
import { ParleyError } from '../error.js';
import type { Parley } from '../parley.js';
import type { NamedData } from '../files/file-input.js';
import type { Message, Turn } from '../rest/types.gen.js';
import { fileOf } from './file-parts.js';
import { ReplyStream } from './reply-stream.js';
import { stopReply } from './stop-reply.js';
import { type ParleyUIMessage, toUIMessages } from './ui-messages.js';

export interface ParleyChatTransportOptions {
  /** Finds or creates the conversation of a chat. By default the chat's id is the conversation's. */
  conversationId?(chatId: string): number | Promise<number>;
}

type SendMessages<M extends UIMessage> = Parameters<ChatTransport<M>['sendMessages']>[0];
type Reconnect = Parameters<ChatTransport<UIMessage>['reconnectToStream']>[0];
type Stream = ReadableStream<UIMessageChunk>;

/**
 * Connects the AI SDK's `useChat` to Parley. Aborting (`stop`) stops the reply on the server; a reply whose page was
 * closed or reloaded goes on, and is resumed from its beginning (`resume: true`).
 */
export class ParleyChatTransport<M extends UIMessage = ParleyUIMessage> implements ChatTransport<M> {
  readonly resumeStreamIsReplay = true;
  private readonly conversationId: (chatId: string) => number | Promise<number>;
  /** Ids of messages that `useChat` has made, by its own ids. */
  private readonly storedIds = new Map<string, number>();
  /** Replies that were running when their messages were loaded, by conversation. */
  private readonly loadedRunning = new Map<number, number>();

  constructor(
    private readonly parley: Parley,
    { conversationId = Number }: ParleyChatTransportOptions = {},
  ) {
    this.conversationId = conversationId;
  }

  /** Reads the newest messages, for the option `messages` of `useChat`. */
  async loadMessages(
    chatId: string,
    query: { limit?: number; before_id?: number } = {},
  ): Promise<ParleyUIMessage[]> {
    const id = await this.conversationId(chatId);
    await this.parley.auth.ready;
    const { messages } = await this.parley.rest.getConversation({ path: { id }, query });
    const last = messages.at(-1);
    if (last?.status === 'streaming') this.loadedRunning.set(id, last.id);
    return toUIMessages(messages, (file) => this.parley.files.url(file));
  }

  /** Sends the last message, edits it, or regenerates a reply. `body` may have a `config_id`. */
  async sendMessages(options: SendMessages<M>): Promise<Stream> {
    const { abortSignal } = options;
    const conversation = this.parley.conversation(await this.conversationId(options.chatId));
    abortSignal?.throwIfAborted();
    const reply = await this.request(conversation, options);
    const stop = ({ assistant_message }: Turn) => stopReply(this.parley, conversation, assistant_message.id);
    const turn = await acceptedUnlessAborted(reply, stop, abortSignal);
    const asked = options.messages.at(-1);
    if (asked) this.storedIds.set(asked.id, turn.user_message.id);
    return this.stream(conversation, turn.assistant_message, abortSignal);
  }

  /** Resumes the running reply, if there is one. Aborting before it returns does not stop the reply. */
  async reconnectToStream({ chatId, abortSignal }: Reconnect): Promise<Stream | null> {
    const id = await this.conversationId(chatId);
    await this.parley.auth.ready;
    const { messages } = await this.parley.rest.getConversation({ path: { id }, query: { limit: 1 } });
    const last = messages.at(-1);
    const isWanted = last?.status === 'streaming' || this.loadedRunning.get(id) === last?.id;
    if (!last || !isWanted || abortSignal?.aborted) return null;
    this.loadedRunning.delete(id);
    return this.stream(this.parley.conversation(id), last, abortSignal);
  }

  private stream(conversation: Conversation, reply: Message, signal: AbortSignal | undefined): Stream {
    return new ReadableStream(new ReplyStream(this.parley, conversation, reply, signal));
  }

  private async request(conversation: Conversation, options: SendMessages<M>): Promise<Reply> {
    const { trigger, messages, messageId } = options;
    const settings = options.body as SendOptions | undefined;
    const asked = messages.at(-1);
    const storedId = this.storedId(messageId ?? asked?.id);
    if (trigger === 'regenerate-message' && storedId !== undefined) {
      const isReply = messageId !== undefined && messageId !== asked?.id;
      const replyId = isReply ? storedId : await replyTo(conversation, storedId);
      return conversation.regenerate(replyId, settings);
    }
    const isEdit = messageId !== undefined && storedId !== undefined;
    const text = textOf(asked);
    const files = await filesOf(asked, this.parley);
    const request = { ...settings, files, signal: options.abortSignal };
    return isEdit ? conversation.edit(storedId, text, request) : conversation.send(text, request);
  }

  /** Returns undefined for a message that the server has not stored. */
  private storedId(id: string | undefined): number | undefined {
    if (id === undefined) return undefined;
    return this.storedIds.get(id) ?? (/^\d+$/.test(id) ? Number(id) : undefined);
  }
}

function textOf(message: UIMessage | undefined): string {
  return (message?.parts ?? []).flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
}

function filesOf(message: UIMessage | undefined, parley: Parley): Promise<(NamedData | number)[]> {
  const parts = message?.parts ?? [];
  return Promise.all(parts.flatMap((part) => (part.type === 'file' ? [fileOf(part, parley)] : [])));
}

/** Stops the reply also when the signal is aborted before the server has stored the message. */
async function acceptedUnlessAborted(
  reply: Reply,
  stop: (turn: Turn) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<Turn> {
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reply.accepted.then(stop).catch(() => undefined);
      reject(signal!.reason as Error);
    };
    signal?.addEventListener('abort', abort);
  });
  try {
    return await Promise.race([reply.accepted, aborted]);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Finds the reply to a message on the active branch. */
async function replyTo(conversation: Conversation, messageId: number): Promise<number> {
  const { messages } = await whenRead(conversation);
  const reply = messages.find(({ parent_id }) => parent_id === messageId);
  if (!reply?.id) throw new ParleyError('not_found', 'There is no reply to this message.');
  return reply.id;
}

function whenRead(conversation: Conversation): Promise<ConversationSnapshot> {
  return new Promise((resolve, reject) => {
    const check = () => {
      const snapshot = conversation.getSnapshot();
      if (snapshot.status === 'idle' || snapshot.status === 'loading') return;
      unsubscribe();
      if (snapshot.error) reject(snapshot.error);
      else resolve(snapshot);
    };
    const unsubscribe = conversation.subscribe(check);
    check();
  });
}
