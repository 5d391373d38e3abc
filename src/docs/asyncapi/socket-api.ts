import { CONTENT_LIMITS } from '../../chat/chat.dto.js';
import type { CommandName } from '../../chat/transports/shared/command-registry.js';
import type { ReferenceObject } from '@nestjs/swagger';
import type { Schema } from '../openapi/examples.js';

export interface SocketEvent {
  summary: string;
  body: Record<string, Schema | ReferenceObject>;
}

export interface SocketCommand {
  summary: string;
  body: Record<string, Schema | ReferenceObject>;
  /** Optional members of the body. */
  optional?: string[];
  /** Schema of `data` in a successful acknowledgement. */
  acknowledgement: Schema | ReferenceObject;
}

const ref = (name: string): ReferenceObject => ({ $ref: `#/components/schemas/${name}` });
const id = (description: string, example: number): Schema => ({
  type: 'integer',
  minimum: 1,
  description,
  example,
});

const conversationId = { conversation_id: id('The conversation.', 3) };
const messageId = { message_id: id('The message.', 12) };
const message = { ...conversationId, message: ref('Message') };
const content: Schema = {
  type: 'string',
  minLength: CONTENT_LIMITS.min,
  maxLength: CONTENT_LIMITS.max,
  description: 'Kept exactly as it is sent.',
  example: 'What is a monad?',
};
const configId = id('The model configuration that answers this once.', 1);
const clientMessageId: Schema = {
  type: 'string',
  format: 'uuid',
  description: 'Makes the send safe to repeat: the same id never makes a second message.',
  example: '0b8f7a4e-3c63-4c5f-9a55-6d3ce1d3b7aa',
};
const time: Schema = { type: 'string', format: 'date-time', example: '2026-01-31T10:30:00.000Z' };
const nothing: Schema = { type: 'object', example: {} };

/** Events of the server (API.md 6), the same on every transport. */
export const SOCKET_EVENTS: Record<string, SocketEvent> = {
  'message.created': { summary: 'A message was sent, or a reply to one begins', body: message },
  'message.delta': {
    summary: "A piece of a reply's text: set `part = part.slice(0, offset) + text`",
    body: {
      ...conversationId,
      ...messageId,
      part: { type: 'string', enum: ['content', 'reasoning'], example: 'content' },
      offset: {
        type: 'integer',
        minimum: 0,
        description: 'Where `text` starts in its part, in UTF-16 code units.',
        example: 0,
      },
      text: { type: 'string', example: 'A monad is' },
    },
  },
  'message.completed': {
    summary: 'A reply has ended: the whole message, with its final status',
    body: message,
  },
  'message.restarted': {
    summary: 'A reply begins again: its parts are empty, deltas from offset 0 follow',
    body: message,
  },
  'conversation.created': {
    summary: 'A conversation was created',
    body: { conversation: ref('Conversation') },
  },
  'conversation.updated': {
    summary: 'A conversation was changed',
    body: { conversation: ref('Conversation') },
  },
  'conversation.deleted': { summary: 'A conversation was deleted', body: conversationId },
  'config.changed': {
    summary: 'Model configurations were added, changed or deleted: all there are',
    body: { configs: { type: 'array', items: ref('Config') } },
  },
  'session.expiring': {
    summary: 'The access token runs out in 60 s, and then the socket is closed: send `auth.refresh`',
    body: { expires_at: time },
  },
};

/** Commands of clients; each is acknowledged. */
export const SOCKET_COMMANDS: Record<CommandName, SocketCommand> = {
  'conversation.open': {
    summary: 'Read a conversation and follow it: its deltas come from then on',
    body: {
      ...conversationId,
      limit: {
        type: 'integer',
        minimum: 1,
        maximum: 200,
        default: 50,
        description: 'Messages.',
        example: 50,
      },
    },
    optional: ['limit'],
    acknowledgement: ref('ConversationPage'),
  },
  'conversation.close': {
    summary: "Stop following a conversation's deltas",
    body: conversationId,
    acknowledgement: nothing,
  },
  'chat.send': {
    summary: 'Send a message; its reply follows as events',
    body: { ...conversationId, content, client_message_id: clientMessageId, config_id: configId },
    optional: ['client_message_id', 'config_id'],
    acknowledgement: ref('Turn'),
  },
  'chat.stop': {
    summary: 'Stop the reply that runs; its text so far is kept',
    body: conversationId,
    acknowledgement: {
      type: 'object',
      required: ['assistant_message'],
      properties: { assistant_message: ref('Message') },
    },
  },
  'chat.regenerate': {
    summary: 'Ask for another reply to the same message',
    body: { ...conversationId, ...messageId, config_id: configId },
    optional: ['config_id'],
    acknowledgement: ref('Turn'),
  },
  'chat.edit': {
    summary: 'Send a changed message in place of an earlier one',
    body: { ...conversationId, ...messageId, content, client_message_id: clientMessageId },
    optional: ['client_message_id'],
    acknowledgement: ref('Turn'),
  },
  'auth.refresh': {
    summary: 'Go on with a new access token of the same user, without reconnecting',
    body: {
      token: {
        type: 'string',
        description: 'An access token.',
        example: 'eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln',
      },
    },
    acknowledgement: { type: 'object', required: ['expires_at'], properties: { expires_at: time } },
  },
};
