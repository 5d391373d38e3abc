import type { ReferenceObject, SchemaObject } from '@nestjs/swagger';
import type { Schema } from './examples.js';

export interface SocketEvent {
  summary: string;
  body: Record<string, Schema | ReferenceObject>;
}

export const ref = (name: string): ReferenceObject => ({ $ref: `#/components/schemas/${name}` });
export const id = (description: string, example: number): Schema => ({
  type: 'integer',
  minimum: 1,
  description,
  example,
});

export const conversationId = { conversation_id: id('The conversation.', 3) };
export const messageId = { message_id: id('The message.', 12) };
const message = { ...conversationId, message: ref('Message') };
export const time: Schema = { type: 'string', format: 'date-time', example: '2026-01-31T10:30:00.000Z' };

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

const DESCRIPTION =
  'The data of a server-sent event; `type` is its name. Clients ignore events of unknown types, which may be added.';

/** The schemas of server-sent events: `Event`, and one for each of its types, such as `MessageDeltaEvent`. */
export function eventSchemas(): Record<string, SchemaObject> {
  const names = Object.keys(SOCKET_EVENTS);
  const mapping = Object.fromEntries(names.map((name) => [name, referenceTo(name).$ref]));
  return {
    Event: {
      description: DESCRIPTION,
      oneOf: names.map(referenceTo),
      discriminator: { propertyName: 'type', mapping },
    },
    ...Object.fromEntries(names.map((name) => [schemaName(name), eventSchema(name)])),
  };
}

function eventSchema(name: string): SchemaObject {
  const { summary, body } = structuredClone(SOCKET_EVENTS[name]!);
  const type: Schema = { type: 'string', const: name };
  return {
    type: 'object',
    description: `${summary}.`,
    required: ['type', ...Object.keys(body)],
    properties: { type, ...body },
  };
}

const referenceTo = (name: string): ReferenceObject => ({ $ref: `#/components/schemas/${schemaName(name)}` });

/** `message.delta` becomes `MessageDeltaEvent`. */
const schemaName = (name: string) =>
  `${name.replace(/(^|\.)(\w)/g, (_match, _dot, letter: string) => letter.toUpperCase())}Event`;
