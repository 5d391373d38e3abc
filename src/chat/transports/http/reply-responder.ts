import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AuthService } from '../../../auth/auth.service.js';
import { claimsOf, type Identity } from '../../../auth/identity.js';
import { NotFoundError, ProblemError } from '../../../common/errors/errors.js';
import { sendJson } from '../../../common/json/json-pieces.js';
import { ConversationsService } from '../../../conversations/conversations.service.js';
import { EventHub } from '../../../events/event-hub.js';
import type { ParleyEvent } from '../../../events/parley-event.js';
import { messageCreated } from '../../events/chat.events.js';
import { ConversationStreams } from '../../streams/conversation-streams.js';
import { parseCursor } from '../../events/cursor.js';
import { EventStreamResponse } from './event-stream-response.js';
import type { Turn } from '../../turns/turn.js';
import { ConnectionSession, type ConnectionSessionEvents } from '../shared/connection-session.js';
import { SocketLimits } from '../shared/socket-limits.js';

/** How HTTP answers with a reply: whole, or as it comes. */
@Injectable()
export class ReplyResponder {
  private readonly following = new Set<EventStreamResponse>();

  constructor(
    private readonly streams: ConversationStreams,
    private readonly conversations: ConversationsService,
    private readonly hub: EventHub,
    private readonly auth: AuthService,
    private readonly limits: SocketLimits,
  ) {}

  async write(request: Request, response: Response, userId: number, exchange: Turn): Promise<void> {
    if (request.accepts(['json', 'text/event-stream']) === 'text/event-stream') {
      await this.stream(response, request.user as Identity, exchange);
    } else {
      await this.whole(response, userId, exchange);
    }
  }

  /** A conversation's events, until the client leaves or its login ends: held as long as a socket, and counted as one. */
  async follow(
    response: Response,
    identity: Identity,
    conversationId: number,
    lastEventId?: string,
  ): Promise<void> {
    await this.conversations.getOwned(identity.user.id, conversationId);
    const leave = this.limits.admitUser(identity.user.id);
    const stream = this.open(response);
    stream.onEnd(leave);
    this.endWithSession(stream, identity, () => stream.end());
    const unsubscribe = await this.streams.follow(
      identity.user.id,
      conversationId,
      parseCursor(lastEventId),
      stream,
      (event) => {
        stream.send(event);
        if (event.type === 'conversation.deleted') stream.end();
      },
    );
    stream.goLive();
    stream.onEnd(unsubscribe);
  }

  /** Event streams that are open. */
  get streamCount(): number {
    return this.following.size;
  }

  /** So that clients come back, to another node. */
  endAll(): void {
    this.following.forEach((stream) => stream.end());
  }

  /** One reply. Its token was good when it was asked for; that it runs out meanwhile must not cut it off. */
  private async stream(response: Response, identity: Identity, exchange: Turn): Promise<void> {
    const stream = this.open(response);
    this.endWithSession(stream, identity, (reason) => reason === 'token_revoked' && stream.end());
    stream.send(messageCreated(exchange.userMessage));
    stream.send(messageCreated(exchange.assistantMessage));
    const { assistantMessage } = exchange;
    const tell = (event: ParleyEvent) => {
      stream.send(event);
      if (isEnd(event)) stream.end();
    };
    const unsubscribe = await this.streams.followReply(identity.user.id, assistantMessage, tell, {
      write: async (event) => {
        const isOpen = await stream.write(event);
        if (isEnd(event)) stream.end();
        return isOpen;
      },
    });
    stream.goLive();
    stream.onEnd(unsubscribe);
  }

  private open(response: Response): EventStreamResponse {
    const stream = new EventStreamResponse(response);
    this.following.add(stream);
    stream.onEnd(() => this.following.delete(stream));
    return stream;
  }

  private endWithSession(
    stream: EventStreamResponse,
    identity: Identity,
    ended: ConnectionSessionEvents['ended'],
  ): void {
    const session = new ConnectionSession(this.hub, this.auth, claimsOf(identity), {
      ended,
      resume: () => stream.end(),
    });
    stream.onEnd(() => session.close());
  }

  private async whole(response: Response, userId: number, exchange: Turn): Promise<void> {
    const reply = await this.streams.whenEnded(userId, exchange.assistantMessage);
    if (!reply) throw new NotFoundError('conversation');
    const body = { user_message: exchange.userMessage, assistant_message: reply };
    if (reply.status === 'failed' && reply.error) {
      throw new ProblemError(502, reply.error.code, reply.error.detail, { members: body });
    }
    await sendJson(response, body);
  }
}

function isEnd({ type }: ParleyEvent): boolean {
  return type === 'message.completed' || type === 'conversation.deleted';
}
