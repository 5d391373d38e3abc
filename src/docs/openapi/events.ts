import type { ReferenceObject } from '@nestjs/swagger';
import {
  ConfigChangedDto,
  ConversationDeletedDto,
  ConversationEventDto,
  MessageDeltaDto,
  MessageEventDto,
  SessionExpiringDto,
} from '../../chat/events/event.dto.js';
import type { ClientEventType } from '../../events/parley-event.js';
import { resolve, type Schema, type Schemas } from './examples.js';

/** Class of a DTO. */
export type Model = new () => object;

/** Sockets also get `session.expiring`. */
export type EventName = ClientEventType | 'session.expiring';

interface DocumentedEvent {
  summary: string;
  body: Model;
}

/** All public events, with the DTOs of their bodies. */
export const EVENTS: Record<EventName, DocumentedEvent> = {
  'message.created': { summary: 'A message was sent, or a reply to one begins', body: MessageEventDto },
  'message.delta': {
    summary: "A piece of a reply's text: set `part = part.slice(0, offset) + text`",
    body: MessageDeltaDto,
  },
  'message.completed': {
    summary: 'A reply has ended: the whole message, with its final status',
    body: MessageEventDto,
  },
  'message.restarted': {
    summary: 'A reply begins again: its parts are empty, deltas from offset 0 follow',
    body: MessageEventDto,
  },
  'conversation.created': { summary: 'A conversation was created', body: ConversationEventDto },
  'conversation.updated': { summary: 'A conversation was changed', body: ConversationEventDto },
  'conversation.deleted': { summary: 'A conversation was deleted', body: ConversationDeletedDto },
  'config.changed': {
    summary: 'Model configurations were added, changed or deleted: all there are',
    body: ConfigChangedDto,
  },
  'session.expiring': {
    summary: 'The access token expires in 60 s, and the socket is then closed: send `auth.refresh`',
    body: SessionExpiringDto,
  },
};

/** The events of one conversation, which server-sent events and the WebSocket carry. */
export const CONVERSATION_EVENTS = [
  'message.created',
  'message.delta',
  'message.completed',
  'message.restarted',
  'conversation.updated',
  'conversation.deleted',
] as const satisfies EventName[];

export const EVENT_MODELS = [...new Set(Object.values(EVENTS).map(({ body }) => body))];

/**
 * Replaces the schemas of the events' DTOs by two for each event: `MessageDelta`, its body, and `MessageDeltaEvent`,
 * which has the event's name as `type` too. Adds `Event`, the union of a conversation's events.
 */
export function addEventSchemas(schemas: Schemas): void {
  for (const [name, { summary, body }] of Object.entries(EVENTS)) {
    const schema = schemaOf(body, schemas);
    schemas[schemaName(name)] = { ...schema, description: `${summary}.` };
    schemas[`${schemaName(name)}Event`] = { ...withType(name, schema), description: `${summary}.` };
  }
  for (const model of EVENT_MODELS) {
    const isOfOne = Object.keys(EVENTS).some((name) => schemaName(name) === modelName(model));
    if (!isOfOne) delete schemas[modelName(model)];
  }
  schemas.Event = eventUnion();
}

function eventUnion(): Schema {
  const references = CONVERSATION_EVENTS.map(
    (name) => [name, referenceTo(`${schemaName(name)}Event`)] as const,
  );
  const mapping = Object.fromEntries(references.map(([name, { $ref }]) => [name, $ref]));
  return {
    description:
      'The data of a server-sent event; `type` is its name. Clients ignore events of unknown types, which may be added.',
    oneOf: references.map(([, reference]) => reference),
    discriminator: { propertyName: 'type', mapping },
  };
}

/** Adds `type`, whose value is a message's name, as the first property. */
export function withType(type: string, { properties, required = [], ...schema }: Schema): Schema {
  return {
    ...schema,
    required: ['type', ...required],
    properties: { type: { type: 'string', const: type } as Schema, ...properties },
  };
}

/** `message.delta` becomes `MessageDelta`. */
export function schemaName(name: string): string {
  return name.replace(/(^|\.)(\w)/g, (_match, _dot, letter: string) => letter.toUpperCase());
}

/** The name that a DTO's schema has in the documents. */
export function modelName(model: Model): string {
  return model.name.replace(/Dto$/, '');
}

export function schemaOf(model: Model, schemas: Schemas): Schema {
  return structuredClone(resolve(referenceTo(modelName(model)), schemas));
}

export function referenceTo(name: string): ReferenceObject {
  return { $ref: `#/components/schemas/${name}` };
}
