import type { OpenAPIObject } from '@nestjs/swagger';
import { referenceTo } from '../openapi/events.js';
import { exampleOf, resolve, type Schema, type Schemas } from '../openapi/examples.js';
import { finishSchema, schemasUsedBy } from '../openapi/schemas.js';
import { commandSchemas } from './commands.js';
import { type Message, type Transport, TRANSPORTS } from './transports.js';

type Node = Record<string, unknown>;

/** Builds the AsyncAPI 3.0 document of all streams. @param described has the schemas of events and commands too */
export function buildAsyncApi(described: OpenAPIObject): Node {
  const known = (described.components?.schemas ?? {}) as Schemas;
  const schemas = { ...known, ...commandSchemas(known) };
  const document = {
    asyncapi: '3.0.0',
    info: {
      title: 'Parley events',
      version: described.info.version,
      description:
        'What Parley streams over Socket.IO, WebSocket and server-sent events, with the same bodies on each. Ignore ' +
        'events and fields that you do not know.',
      license: described.info.license,
    },
    defaultContentType: 'application/json',
    servers: servers(described.servers?.[0]?.url ?? ''),
    channels: Object.fromEntries(TRANSPORTS.map((transport) => [transport.channel, channelOf(transport)])),
    operations: Object.assign({}, ...TRANSPORTS.map(operationsOf)) as Node,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'The access_token of a login.',
        },
      },
      messages: Object.assign({}, ...TRANSPORTS.map((transport) => messagesOf(transport, schemas))) as Node,
    },
  };
  return { ...document, components: { ...document.components, schemas: titled(document, schemas) } };
}

/** The schemas in use, with their names as titles: generators name types by them. */
function titled(document: object, schemas: Schemas): Schemas {
  const used = structuredClone(schemasUsedBy(document, schemas));
  Object.values(used).forEach(finishSchema);
  const entries = Object.entries(used).map(([name, schema]) => [name, { title: name, ...schema }]);
  return JSON.parse(JSON.stringify(Object.fromEntries(entries)), unwrapReference) as Schemas;
}

/** Replaces an `allOf` of one reference, which generators give a type of its own, by the reference. */
function unwrapReference(_key: string, value: unknown): unknown {
  const [reference, ...others] = (value as Partial<Schema> | null)?.allOf ?? [];
  return reference && '$ref' in reference && others.length === 0 ? reference : value;
}

/** @param base the server's public URL, or a relative one */
function servers(base: string): Node {
  const url = URL.canParse(base) ? new URL(base) : undefined;
  const security = [{ $ref: '#/components/securitySchemes/bearer' }];
  const variables = { host: { default: 'localhost:3000', description: 'Where Parley listens.' } };
  const server = { ...(url ? { host: url.host } : { host: '{host}', variables }), security };
  const prefix = url?.pathname.replace(/\/$/, '') ?? '';
  const place = { ...server, ...(prefix && { pathname: prefix }) };
  const secure = url?.protocol === 'https:' ? 's' : '';
  return {
    socketio: {
      ...server,
      protocol: 'socketio',
      pathname: `${prefix}/socket.io/`,
      description: 'Socket.IO 4',
    },
    websocket: { ...place, protocol: `ws${secure}`, description: 'wss in production' },
    http: { ...place, protocol: `http${secure}`, description: 'https in production' },
  };
}

function channelOf({ channel, address, title, description, server, messages }: Transport): Node {
  const names = Object.entries(messages).flatMap(([name, { acknowledgement }]) =>
    acknowledgement ? [name, acknowledgementOf(name)] : [name],
  );
  return {
    address,
    title,
    description,
    servers: [{ $ref: `#/servers/${server}` }],
    ...(address.includes('{id}') && { parameters: { id: { description: "The conversation's id." } } }),
    messages: Object.fromEntries(
      names.map((name) => [name, { $ref: `#/components/messages/${channel}.${name}` }]),
    ),
  };
}

function operationsOf({ channel, messages }: Transport): Node {
  return Object.fromEntries(
    Object.entries(messages).map(([name, message]) => [
      `${channel}.${name}`,
      operationOf(channel, name, message),
    ]),
  );
}

function operationOf(channel: string, name: string, { action, summary, acknowledgement }: Message): Node {
  const reference = { $ref: `#/channels/${channel}` };
  const messageOf = (each: string) => ({ $ref: `#/channels/${channel}/messages/${each}` });
  return {
    action,
    channel: reference,
    summary,
    messages: [messageOf(name)],
    ...(acknowledgement && {
      reply: { channel: reference, messages: [messageOf(acknowledgementOf(name))] },
    }),
  };
}

function messagesOf({ channel, messages }: Transport, schemas: Schemas): Node {
  const described: Node = {};
  for (const [name, { summary, payload, acknowledgement }] of Object.entries(messages)) {
    described[`${channel}.${name}`] = messageOf(name, summary, payload, schemas);
    if (!acknowledgement) continue;
    const summaryOfAck = `The acknowledgement of ${name}`;
    const own = acknowledgementOf(name);
    described[`${channel}.${own}`] = messageOf(own, summaryOfAck, acknowledgement, schemas);
  }
  return described;
}

function messageOf(name: string, summary: string, payload: string, schemas: Schemas): Node {
  return {
    name,
    title: name,
    summary,
    contentType: 'application/json',
    payload: referenceTo(payload),
    examples: [{ payload: exampleMessage(resolve(referenceTo(payload), schemas), schemas) }],
  };
}

/** The example of an acknowledgement is a successful one. */
function exampleMessage(schema: Schema, schemas: Schemas): unknown {
  const { required = [], properties } = schema;
  return exampleOf({ ...schema, required: properties?.data ? [...required, 'data'] : required }, schemas);
}

const acknowledgementOf = (command: string) => `${command}.ack`;
