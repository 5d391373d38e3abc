import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { CurrentIdentity, CurrentUser } from '../../../auth/current-user.decorator.js';
import type { Identity } from '../../../auth/identity.js';
import { AcceptsTicket } from '../../../auth/accepts-ticket.decorator.js';
import { User } from '../../../auth/users/user.entity.js';
import { ApiProblems } from '../../../common/errors/api-problems.decorator.js';
import { IdPipe } from '../../../common/validation/id.pipe.js';
import { ConversationPageDto } from '../../../conversations/conversation.dto.js';
import { MessageDto } from '../../../conversations/messages/message.dto.js';
import { EditMessageDto, EventsQuery, RegenerateDto, SendMessageDto } from '../../chat.dto.js';
import { ChatService } from '../../chat.service.js';
import { LiveConversations } from '../../live-conversations.service.js';
import { ConversationStream } from '../../streams/conversation-stream.js';
import { ReplyResponder } from './reply-responder.js';
import { EVENT_STREAM, TurnRoute } from './turn-route.decorator.js';

/** Sends messages and follows replies, as JSON or as server-sent events by the request's Accept header. */
@ApiTags('Chat')
@ApiBearerAuth()
@Controller('conversations/:id')
export class ChatController {
  constructor(
    private readonly chat: ChatService,
    private readonly conversations: LiveConversations,
    private readonly stream: ConversationStream,
    private readonly responder: ReplyResponder,
  ) {}

  @TurnRoute(
    'chat',
    {
      operationId: 'sendMessage',
      summary: 'Send a message and get its whole reply',
      description:
        'Responds once the reply has ended. With `Accept: text/event-stream` it responds as `streamMessage` does.',
    },
    '409 client_message_id_reused',
  )
  send(
    @CurrentUser() user: User,
    @Param('id', IdPipe) id: number,
    @Body() message: SendMessageDto,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    return this.responder.respond(request, response, this.chat.send(user.id, id, message));
  }

  @TurnRoute(
    'messages',
    {
      operationId: 'streamMessage',
      summary: 'Send a message and stream its reply',
      description:
        'Server-sent events: `message.created` for the message and for its reply, `message.delta` for each piece of ' +
        'text, and `message.completed` at the end. A client that loses the connection sends the same ' +
        '`client_message_id` again. With `Accept: application/json` it responds as `sendMessage` does.',
      format: 'events',
    },
    '409 client_message_id_reused',
  )
  streamMessage(
    @CurrentUser() user: User,
    @Param('id', IdPipe) id: number,
    @Body() message: SendMessageDto,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    return this.send(user, id, message, request, response);
  }

  @TurnRoute(
    'messages/:message_id/regenerate',
    {
      operationId: 'regenerateReply',
      summary: 'Ask for another reply to the same message',
      description:
        'The new reply is a sibling of the given one, and the active branch ends in it. Responds once it has ended; ' +
        'with `Accept: text/event-stream`, as `streamMessage` does.',
    },
    '409 wrong_role',
  )
  regenerate(
    @CurrentUser() user: User,
    @Param('id', IdPipe) id: number,
    @Param('message_id', IdPipe) messageId: number,
    @Body() changes: RegenerateDto,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    return this.responder.respond(request, response, this.chat.regenerate(user.id, id, messageId, changes));
  }

  @TurnRoute(
    'messages/:message_id/edit',
    {
      operationId: 'editMessage',
      summary: 'Send a changed message in place of an earlier one',
      description:
        'The new message is a sibling of the given one, which is kept on its own branch. Responds once the reply has ' +
        'ended; with `Accept: text/event-stream`, as `streamMessage` does.',
    },
    '409 wrong_role',
    '409 client_message_id_reused',
  )
  edit(
    @CurrentUser() user: User,
    @Param('id', IdPipe) id: number,
    @Param('message_id', IdPipe) messageId: number,
    @Body() changes: EditMessageDto,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    return this.responder.respond(request, response, this.chat.edit(user.id, id, messageId, changes));
  }

  @ApiOperation({
    operationId: 'activateMessage',
    summary: 'Make the branch of a message the active one',
    description:
      "Shows the branch of one of a message's `sibling_ids`, down to its newest message. Responds with the newest page of it.",
  })
  @ApiOkResponse({ type: ConversationPageDto })
  @ApiProblems('409 reply_in_progress')
  @HttpCode(200)
  @Post('messages/:message_id/activate')
  async activate(
    @CurrentUser() user: User,
    @Param('id', IdPipe) id: number,
    @Param('message_id', IdPipe) messageId: number,
  ): Promise<ConversationPageDto> {
    await this.conversations.activate(user.id, id, messageId);
    return this.stream.read(user.id, id);
  }

  @ApiOperation({
    operationId: 'stopReply',
    summary: 'Stop the reply that runs; its text so far is kept',
    description: 'Responds with the stopped reply. The request to the provider ends within a second.',
  })
  @ApiOkResponse({ type: MessageDto })
  @ApiProblems('409 no_reply_running')
  @HttpCode(200)
  @Post('stop')
  stop(@CurrentUser() user: User, @Param('id', IdPipe) id: number): Promise<MessageDto> {
    return this.conversations.stop(user.id, id);
  }

  @ApiOperation({
    operationId: 'streamEvents',
    summary: 'Follow a conversation, live',
    description:
      'Server-sent events, without end. With `Last-Event-ID` everything since that event comes first; without it, ' +
      "a running reply's text so far. A browser's EventSource, which cannot set a header, opens it with " +
      '`?ticket=` (`POST /auth/stream-ticket`). Swagger UI shows a response when it has ended: run the `curl` command ' +
      'that it prints, with `-N`, instead.',
  })
  @ApiHeader({
    name: 'Last-Event-ID',
    description: 'The `id` of the last event received. The stream starts with everything since.',
  })
  @ApiOkResponse(EVENT_STREAM)
  @Get('events')
  @AcceptsTicket()
  events(
    @CurrentIdentity() identity: Identity,
    @Param('id', IdPipe) id: number,
    @Headers('last-event-id') lastEventId: string | undefined,
    // Read by the authentication guard; declared to be validated and documented.
    @Query() _query: EventsQuery,
    @Res() response: Response,
  ): Promise<void> {
    return this.responder.follow(response, identity, id, lastEventId);
  }
}
