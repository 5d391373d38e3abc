import { CONTENT_LIMITS } from '../../chat/chat.dto.js';
import type { CommandName } from '../../chat/transports/shared/command-registry.js';
import type { ReferenceObject } from '@nestjs/swagger';
import { conversationId, id, messageId, ref, time } from '../openapi/event-schemas.js';
import type { Schema } from '../openapi/examples.js';

export interface SocketCommand {
  summary: string;
  body: Record<string, Schema | ReferenceObject>;
  /** Optional members of the body. */
  optional?: string[];
  /** Schema of `data` in a successful acknowledgement. */
  acknowledgement: Schema | ReferenceObject;
}

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
const nothing: Schema = { type: 'object', example: {} };

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
