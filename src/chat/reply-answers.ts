import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Identity } from '../auth/identity.js';
import { NotFoundError, ProblemError } from '../common/errors.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import { EventHub } from '../events/event-hub.js';
import { messageCreated } from './chat.events.js';
import { ConversationStreams } from './conversation-streams.js';
import { parseCursor } from './cursor.js';
import { EventStreamResponse } from './event-stream-response.js';
import type { Exchange } from './exchanges.service.js';
import { LiveSession } from './live-session.js';
import { SlowReaders } from './slow-readers.js';

/** How HTTP answers with a reply: whole, or as it comes. */
@Injectable()
export class ReplyAnswers {
  private readonly following = new Set<EventStreamResponse>();

  constructor(
    private readonly streams: ConversationStreams,
    private readonly slowReaders: SlowReaders,
    private readonly conversations: ConversationsService,
    private readonly hub: EventHub,
  ) {}

  async write(request: Request, response: Response, userId: number, exchange: Exchange): Promise<void> {
    if (request.accepts(['json', 'text/event-stream']) === 'text/event-stream') {
      await this.stream(response, userId, exchange);
    } else {
      await this.whole(response, userId, exchange);
    }
  }

  /** A conversation's events, until the client leaves or its login ends. */
  async follow(
    response: Response,
    identity: Identity,
    conversationId: number,
    lastEventId?: string,
  ): Promise<void> {
    await this.conversations.getOwned(identity.user.id, conversationId);
    const stream = new EventStreamResponse(response, this.slowReaders);
    const unsubscribe = await this.streams.follow(
      identity.user.id,
      conversationId,
      parseCursor(lastEventId),
      (event) => {
        stream.send(event);
        if (event.type === 'conversation.deleted') stream.end();
      },
    );
    this.keep(stream, identity, unsubscribe);
  }

  /** So that clients come back, to another node. */
  endAll(): void {
    this.following.forEach((stream) => stream.end());
  }

  private keep(stream: EventStreamResponse, identity: Identity, unsubscribe: () => void): void {
    const session = new LiveSession(this.hub, identity, {
      ended: () => stream.end(),
      resume: () => stream.end(),
    });
    this.following.add(stream);
    stream.onEnd(() => {
      unsubscribe();
      session.close();
      this.following.delete(stream);
    });
  }

  private async stream(response: Response, userId: number, exchange: Exchange): Promise<void> {
    const stream = new EventStreamResponse(response, this.slowReaders);
    stream.send(messageCreated(exchange.userMessage));
    stream.send(messageCreated(exchange.assistantMessage));
    const unsubscribe = await this.streams.followReply(userId, exchange.assistantMessage, (event) => {
      stream.send(event);
      if (event.type === 'message.completed' || event.type === 'conversation.deleted') stream.end();
    });
    stream.onEnd(unsubscribe);
  }

  private async whole(response: Response, userId: number, exchange: Exchange): Promise<void> {
    const reply = await this.streams.whenEnded(userId, exchange.assistantMessage);
    if (!reply) throw new NotFoundError('conversation');
    const body = { user_message: exchange.userMessage, assistant_message: reply };
    if (reply.status === 'failed' && reply.error) {
      throw new ProblemError(502, reply.error.code, reply.error.detail, { members: body });
    }
    response.json(body);
  }
}
