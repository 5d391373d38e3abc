import type { OpenAPIObject, ReferenceObject } from '@nestjs/swagger';
import { SOCKET_EVENTS } from '../openapi/event-schemas.js';
import { exampleOf, type Schema } from '../openapi/examples.js';
import { finishSchema, schemasUsedBy } from '../openapi/schemas.js';
import { SOCKET_COMMANDS, type SocketCommand } from './socket-api.js';

type Schemas = Record<string, Schema | ReferenceObject>;
type Node = Record<string, unknown>;

/** A transport of events, and the form of its messages. */
interface Transport {
  channel: string;
  title: string;
  address: string;
  server: string;
  description: string;
  /** Whether clients also send commands. */
  commands: boolean;
  /** Builds the schema of a message from its name and body. */
  wrap: (name: string, body: Schema) => Schema;
}

const withType: Transport['wrap'] = (name, body) => withMembers({ type: { const: name } }, body);

const TRANSPORTS: Transport[] = [
  {
    channel: 'chat',
    title: 'Socket.IO',
    address: '/chat',
    server: 'socketio',
    commands: true,
    description:
      'The namespace /chat; the handshake carries `auth: {token}`, or an Authorization header. A refused one is a ' +
      '`connect_error` with the problem in `data`. A socket gets the events of all conversations of its user, but ' +
      'deltas only of those that it opened. Each event has one argument, its body; a client that wants connection state ' +
      'recovery says `auth: {token, recovery: true}`, and gets the offset as a second one. Each command is answered through its acknowledgement callback.',
    wrap: (_name, body) => body,
  },
  {
    channel: 'conversation',
    title: 'WebSocket',
    address: '/conversations/ws/{id}',
    server: 'websocket',
    commands: true,
    description:
      'For clients without Socket.IO: JSON text frames. The token comes in the Authorization header, as the ' +
      'subprotocols `bearer, <token>`, as a ticket in `?ticket=` (`POST /auth/stream-ticket`: one use, 30 s), or in a first frame `{"type": "auth", "token": …}` within 5 s. Opening it opens ' +
      'the conversation, whose id may then be left out of frames: the first frame is `conversation.snapshot`. Close ' +
      'codes: 4401 token bad, expired or revoked, 4404 no such conversation, 4408 no token in time, 4413 frame too ' +
      'large, 4429 too much.',
    wrap: withType,
  },
  {
    channel: 'events',
    title: 'Server-sent events',
    address: '/conversations/{id}/events',
    server: 'http',
    commands: false,
    description:
      '`event:` is the name, `data:` the body on one line with the name as `type`, `id:` what to resume with in `Last-Event-ID`. Without ' +
      "one, a running reply's text so far comes first. A comment every 15 s keeps proxies from closing it. A browser's " +
      'EventSource, which cannot set a header, sends `?ticket=` (`POST /auth/stream-ticket`: one use, 30 s).',
    wrap: withType,
  },
];

/** Builds the AsyncAPI 3.0 document of all streams, with the schemas of the OpenAPI document. */
export function buildAsyncApi(openApi: OpenAPIObject): Node {
  const schemas = (openApi.components?.schemas ?? {}) as Schemas;
  const document = {
    asyncapi: '3.0.0',
    info: {
      title: 'Parley events',
      version: openApi.info.version,
      description:
        'What Parley streams over Socket.IO, WebSocket and server-sent events: the same events on each.',
      license: openApi.info.license,
    },
    defaultContentType: 'application/json',
    servers: servers(),
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
  const used = schemasUsedBy(document, schemas);
  return { ...document, components: { ...document.components, schemas: used } };
}

function servers(): Node {
  const security = [{ $ref: '#/components/securitySchemes/bearer' }];
  const variables = { host: { default: 'localhost:3000', description: 'Where Parley listens.' } };
  const server = { host: '{host}', variables, security };
  return {
    socketio: { ...server, protocol: 'socketio', pathname: '/socket.io/', description: 'Socket.IO 4' },
    websocket: { ...server, protocol: 'ws', description: 'wss in production' },
    http: { ...server, protocol: 'http', description: 'https in production' },
  };
}

function channelOf(transport: Transport): Node {
  const events = [
    ...Object.keys(SOCKET_EVENTS),
    ...(transport.channel === 'conversation' ? ['conversation.snapshot'] : []),
  ];
  const commands = transport.commands
    ? Object.keys(SOCKET_COMMANDS).flatMap((name) => [name, `${name}.ack`])
    : [];
  const messages = [...events, ...commands].map((name) => [
    name,
    { $ref: `#/components/messages/${transport.channel}.${name}` },
  ]);
  return {
    address: transport.address,
    title: transport.title,
    description: transport.description,
    servers: [{ $ref: `#/servers/${transport.server}` }],
    ...(transport.address.includes('{id}') && {
      parameters: { id: { description: "The conversation's id." } },
    }),
    messages: Object.fromEntries(messages),
  };
}

/** From the server's perspective: it sends events and receives commands. */
function operationsOf(transport: Transport): Node {
  const channel = { $ref: `#/channels/${transport.channel}` };
  const message = (name: string) => ({ $ref: `#/channels/${transport.channel}/messages/${name}` });
  const events = Object.keys(SOCKET_EVENTS).map((name) => [
    `${transport.channel}.${name}`,
    { action: 'send', channel, summary: SOCKET_EVENTS[name]!.summary, messages: [message(name)] },
  ]);
  const commands = Object.entries(transport.commands ? SOCKET_COMMANDS : {}).map(([name, { summary }]) => [
    `${transport.channel}.${name}`,
    {
      action: 'receive',
      channel,
      summary,
      messages: [message(name)],
      reply: { channel, messages: [message(`${name}.ack`)] },
    },
  ]);
  const snapshot = {
    action: 'send',
    channel,
    summary: SNAPSHOT,
    messages: [message('conversation.snapshot')],
  };
  const first =
    transport.channel === 'conversation' ? [['conversation.conversation.snapshot', snapshot]] : [];
  return Object.fromEntries([...events, ...first, ...commands]) as Node;
}

const SNAPSHOT = 'The first frame: the conversation as it is, a running reply with its text so far';

function messagesOf(transport: Transport, schemas: Schemas): Node {
  const messages: Node = {};
  const add = (name: string, summary: string, payload: Schema) => {
    messages[`${transport.channel}.${name}`] = messageOf(name, summary, payload, schemas);
  };
  for (const [name, { summary, body }] of Object.entries(SOCKET_EVENTS)) {
    add(name, summary, transport.wrap(name, objectOf(body)));
  }
  if (transport.channel === 'conversation') {
    const page: Schema = { allOf: [{ $ref: '#/components/schemas/ConversationPage' }] };
    add('conversation.snapshot', SNAPSHOT, transport.wrap('conversation.snapshot', page));
  }
  if (!transport.commands) return messages;
  for (const [name, command] of Object.entries(SOCKET_COMMANDS)) {
    add(name, command.summary, commandOf(transport, name, command));
    add(`${name}.ack`, `The acknowledgement of ${name}`, acknowledgementOf(transport, command));
  }
  return messages;
}

function messageOf(name: string, summary: string, payload: Schema, schemas: Schemas): Node {
  const example = exampleOf(payload, schemas);
  finishSchema(payload);
  return {
    name,
    title: name,
    summary,
    contentType: 'application/json',
    payload,
    examples: [{ payload: example }],
  };
}

function commandOf(transport: Transport, name: string, { body, optional = [] }: SocketCommand): Schema {
  // On a WebSocket the conversation's id is implied, and clients number their frames.
  if (transport.channel !== 'conversation') return objectOf(body, optional);
  const frame = transport.wrap(name, objectOf(body, [...optional, 'conversation_id']));
  const id: Schema = { type: 'integer', description: 'Comes back in the acknowledgement.', example: 1 };
  return { ...frame, properties: { ...frame.properties, id } };
}

function acknowledgementOf(transport: Transport, { acknowledgement }: SocketCommand): Schema {
  const problem: ReferenceObject = { $ref: '#/components/schemas/Problem' };
  const good = objectOf({ ok: { const: true } as Schema, data: acknowledgement });
  const bad = objectOf({ ok: { const: false } as Schema, error: problem });
  if (transport.channel !== 'conversation') return { oneOf: [good, bad] };
  const envelope = { type: { const: 'ack' } as Schema, id: { type: 'integer', example: 1 } as Schema };
  return { oneOf: [good, bad].map((answer) => withMembers(envelope, answer, ['id'])) };
}

function objectOf(properties: Schemas, optional: string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return structuredClone({ type: 'object', required, properties });
}

function withMembers(members: Record<string, Schema>, body: Schema, optional: string[] = []): Schema {
  const own = objectOf(members, optional);
  if (body.allOf) return { allOf: [own, ...body.allOf] };
  const required = [...own.required!, ...(body.required ?? [])];
  return { ...body, required, properties: { ...own.properties, ...body.properties } };
}
