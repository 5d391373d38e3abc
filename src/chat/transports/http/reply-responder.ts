import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { revokedToken } from '../../../auth/auth.errors.js';
import { AuthService } from '../../../auth/guard/auth.service.js';
import { claimsOf, type Identity } from '../../../auth/identity.js';
import { NotFoundError, ProblemError } from '../../../common/errors/errors.js';
import { sendJson } from '../../../common/http/server/send-pieces.js';
import { ConversationsService } from '../../../conversations/conversations.service.js';
import type { ParleyEvent } from '../../../events/parley-event.js';
import { messageCreated } from '../../events/chat.events.js';
import { ConversationStream } from '../../streams/conversation-stream.js';
import { ReplyStream } from '../../streams/reply-stream.js';
import { parseCursor } from '../../events/cursor.js';
import { EventStreamResponse } from './event-stream-response.js';
import type { Turn } from '../../turns/turn.js';
import {
  ConnectionSession,
  type ConnectionSessionEvents,
  endsSession,
} from '../shared/connection-session.js';
import { SocketLimits } from '../shared/socket-limits.js';

/** Responds to HTTP requests with a reply: as JSON once it has ended, or as server-sent events. */
@Injectable()
export class ReplyResponder {
  private readonly following = new Set<EventStreamResponse>();

  constructor(
    private readonly stream: ConversationStream,
    private readonly replies: ReplyStream,
    private readonly conversations: ConversationsService,
    private readonly auth: AuthService,
    private readonly limits: SocketLimits,
  ) {}

  /** Responds with a turn and its reply, in the format that the request accepts. */
  async respond(request: Request, response: Response, started: Promise<Turn>): Promise<void> {
    const identity = request.user as Identity;
    const wantsEvents = request.accepts(['json', 'text/event-stream']) === 'text/event-stream';
    if (wantsEvents) await this.respondWithEvents(response, identity, await started);
    else await this.respondWithJson(response, identity, started);
  }

  /**
   * Sends a conversation's events until the client leaves, the access token expires or the session is revoked.
   * Counts as a socket of the user.
   */
  async follow(
    response: Response,
    identity: Identity,
    conversationId: number,
    lastEventId?: string,
  ): Promise<void> {
    const userId = identity.user.id;
    await this.conversations.getOwned(userId, conversationId);
    const release = this.limits.acquireForUser(userId);
    const client = this.open(response, ({ type }) => type === 'conversation.deleted');
    client.onEnd(release);
    this.endWithSession(client, identity, () => client.end());
    const subscription = await this.stream.follow(userId, conversationId, parseCursor(lastEventId), client);
    client.goLive();
    client.onEnd(() => subscription.end());
  }

  /** The number of open event streams. */
  get streamCount(): number {
    return this.following.size;
  }

  /** Ends all event streams; clients reconnect, to another node. */
  endAll(): void {
    this.following.forEach((client) => client.end());
  }

  /** Sends one reply. The expiry of the access token does not end it, as the request was authenticated. */
  private async respondWithEvents(response: Response, identity: Identity, turn: Turn): Promise<void> {
    const client = this.open(response, isEnd);
    this.endWithSession(client, identity, (reason) => reason === 'token_revoked' && client.end());
    client.send(messageCreated(turn.userMessage));
    client.send(messageCreated(turn.assistantMessage));
    const unsubscribe = await this.replies.follow(identity.user.id, turn.assistantMessage, client);
    client.goLive();
    client.onEnd(unsubscribe);
  }

  private async respondWithJson(
    response: Response,
    identity: Identity,
    started: Promise<Turn>,
  ): Promise<void> {
    const { turn, reply } = await this.withinSession(identity, async (signal) => {
      const turn = await started;
      return { turn, reply: await this.replies.whenEnded(identity.user.id, turn.assistantMessage, signal) };
    });
    if (!reply) throw new NotFoundError('conversation');
    const body = { user_message: turn.userMessage, assistant_message: reply };
    if (reply.status === 'failed' && reply.error) {
      throw new ProblemError(502, reply.error.code, reply.error.detail, { members: body });
    }
    await sendJson(response, body);
  }

  /** @param work gets a signal that aborts with `token_revoked` when the session ends */
  private async withinSession<T>(
    { user, session }: Identity,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const since = performance.now();
    const ending = new AbortController();
    const subscription = this.stream.subscribe(user.id, (event) => {
      if (endsSession(event, session.id, since)) ending.abort(revokedToken());
    });
    return work(ending.signal).finally(() => subscription.end());
  }

  private open(response: Response, isLast: (event: ParleyEvent) => boolean): EventStreamResponse {
    const client = new EventStreamResponse(response, isLast);
    this.following.add(client);
    client.onEnd(() => this.following.delete(client));
    return client;
  }

  private endWithSession(
    client: EventStreamResponse,
    identity: Identity,
    ended: ConnectionSessionEvents['ended'],
  ): void {
    const session = new ConnectionSession(this.stream, this.auth, claimsOf(identity), {
      ended,
      resume: () => client.end(),
    });
    client.onEnd(() => session.close());
  }
}

function isEnd({ type }: ParleyEvent): boolean {
  return type === 'message.completed' || type === 'conversation.deleted';
}
