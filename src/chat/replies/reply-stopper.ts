import { Injectable } from '@nestjs/common';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { EventHub } from '../../events/event-hub.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { PendingTurns } from '../turns/pending-turns.js';
import { AbandonedReplies } from './abandoned-replies.js';
import { ReplyEngine } from './reply-engine.js';
import { ReplyRepository, type RunningReply } from './reply-repository.js';

/** A node that does not stop its reply for this long is considered dead. */
const REMOTE_STOP_TIMEOUT_MS = 2000;

/** Stops the reply that runs in a conversation, on any node. */
@Injectable()
export class ReplyStopper {
  constructor(
    private readonly engine: ReplyEngine,
    private readonly repository: ReplyRepository,
    private readonly abandoned: AbandonedReplies,
    private readonly pendingTurns: PendingTurns,
    private readonly hub: EventHub,
  ) {}

  /** @returns the reply as stored; null if none runs */
  async stopIn(conversationId: number): Promise<MessageDto | null> {
    await this.pendingTurns.settled(conversationId);
    const reply = this.engine.all().find(({ message }) => message.conversation_id === conversationId);
    if (reply) {
      reply.abort('stopped');
      return reply.ended;
    }
    const running = await this.repository.findRunning({ conversationId });
    if (!running) return null;
    return (await this.stopRemotely(running)) ?? this.abandoned.end(running.reply.id, 'stopped');
  }

  /** Lets the reply's node stop it, which keeps its unsaved text. @returns null if no node did */
  private async stopRemotely({ reply, conversation }: RunningReply): Promise<MessageDto | null> {
    if (!this.hub.hasRelay) return null;
    const { id: conversationId, userId } = conversation;
    await this.hub.whenSubscribed(userId);
    return new Promise((resolve) => {
      const settle = (message: MessageDto | null) => {
        unsubscribe();
        clearTimeout(timer);
        resolve(message);
      };
      const timer = setTimeout(() => settle(null), REMOTE_STOP_TIMEOUT_MS).unref();
      const unsubscribe = this.hub.subscribe(userId, ({ type, body }) => {
        const message = body.message as MessageDto | undefined;
        if (type === 'message.completed' && message?.id === reply.id) settle(message);
      });
      this.hub.publish(userId, new ParleyEvent('reply.stop', { conversation_id: conversationId }));
    });
  }
}
