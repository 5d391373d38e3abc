import { Injectable } from '@nestjs/common';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { EventHub } from '../../events/event-hub.js';
import { messageCompleted } from '../events/chat.events.js';
import { recordReplyEnd } from './reply-log.js';
import { ReplyRepository } from './reply-repository.js';
import { ReplyRunFactory } from './reply-run-factory.js';
import { ReplyWriteBuffer } from './reply-write-buffer.js';
import { wholeText } from './streamed-text.js';
import { estimateUsage } from '../../usage/estimated-usage.js';

/** Replies that are stored as running but that this process does not run. */
@Injectable()
export class AbandonedReplies {
  constructor(
    private readonly repository: ReplyRepository,
    private readonly runs: ReplyRunFactory,
    private readonly writeBuffer: ReplyWriteBuffer,
    private readonly hub: EventHub,
  ) {}

  /**
   * Ends a reply with its stored text.
   * @returns null if it was ended or claimed meanwhile
   */
  async end(messageId: number, status: 'stopped' | 'interrupted'): Promise<MessageDto | null> {
    const running = await this.repository.findRunning({ id: messageId });
    if (!running) return null;
    const message = await this.repository.endAbandoned(running, status, async (text) =>
      estimateUsage(await this.runs.promptOf(running), text),
    );
    if (!message) return null;
    this.writeBuffer.discard(messageId);
    const { userId } = running.conversation;
    const { attempt } = running.reply;
    recordReplyEnd(message, userId);
    // Clients of this node may have received less text than was stored, or more.
    wholeText(message, attempt).forEach((event) => this.hub.deliver(userId, event));
    this.hub.publish(userId, messageCompleted(message, attempt));
    return message;
  }
}
