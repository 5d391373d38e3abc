import type { MessageDto } from './messages/message.dto.js';

/** What conversations need of the replies that run in them; the chat engine, which is above, provides it. */
export abstract class RunningReplies {
  /** The message with its text so far, where it is a reply that runs in this process; else as it is. */
  abstract overlay(message: MessageDto): MessageDto;

  /** Stops the reply that runs in a conversation, if one does, wherever it runs. */
  abstract stopIn(conversationId: number): Promise<void>;
}
