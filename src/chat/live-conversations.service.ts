import { Injectable } from '@nestjs/common';
import { ConflictError } from '../common/errors/errors.js';
import type { ConversationPageDto } from '../conversations/conversation.dto.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import type { MessageDto } from '../conversations/messages/message.dto.js';
import type { PageOptions } from '../conversations/messages/messages.service.js';
import { EventHub } from '../events/event-hub.js';
import { conversationUpdated } from './events/chat.events.js';
import { ReplyEngine } from './replies/reply-engine.js';
import { ReplyStopper } from './replies/reply-stopper.js';
import { TurnsService } from './turns/turns.service.js';

/** Operations on a conversation that depend on its running reply. */
@Injectable()
export class LiveConversations {
  constructor(
    private readonly conversations: ConversationsService,
    private readonly turns: TurnsService,
    private readonly engine: ReplyEngine,
    private readonly stopper: ReplyStopper,
    private readonly hub: EventHub,
  ) {}

  /** As {@link ConversationsService.getPage}, with the unsaved text of a reply that this process runs. */
  async getPage(userId: number, id: number, options: PageOptions): Promise<ConversationPageDto> {
    const page = await this.conversations.getPage(userId, id, options);
    return page.update((message) => this.engine.find(message.id)?.snapshot() ?? message);
  }

  /** Activates the branch of a message. @throws {ConflictError} `reply_in_progress` */
  async activate(userId: number, id: number, messageId: number): Promise<void> {
    await this.conversations.getOwned(userId, id);
    const conversation = await this.turns.activate(userId, id, messageId);
    this.hub.publish(userId, conversationUpdated(conversation));
  }

  /** @throws {ConflictError} `no_reply_running` */
  async stop(userId: number, id: number): Promise<MessageDto> {
    await this.conversations.getOwned(userId, id);
    const message = await this.stopper.stopIn(id);
    if (!message) throw new ConflictError('no_reply_running', 'No reply is running in this conversation.');
    return message;
  }

  /** Stops the conversation's reply and deletes it. */
  async delete(userId: number, id: number): Promise<void> {
    await this.conversations.getOwned(userId, id);
    await this.stopper.stopIn(id);
    await this.conversations.delete(userId, id);
  }
}
