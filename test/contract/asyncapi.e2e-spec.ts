/** /asyncapi.json against what clients receive over each transport. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { COMMANDS } from '../../src/chat/transports/shared/command-registry.js';
import { EVENTS } from '../../src/docs/openapi/events.js';
import { tokenWithSecondsLeft } from '../support/app/access-token.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { snapshot } from '../support/clients/websocket.js';

interface Schema {
  title?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  [keyword: string]: unknown;
}
interface AsyncApi {
  asyncapi: string;
  channels: Record<string, { address: string; messages: Record<string, { $ref: string }> }>;
  operations: Record<string, { action: string }>;
  components: {
    messages: Record<string, { payload: { $ref: string }; examples: { payload: object }[] }>;
    schemas: Record<string, Schema>;
  };
}
type Body = Record<string, unknown>;

let t: TestApp;
let ada: TestUser;
let document: AsyncApi;
let validators: Map<string, ValidateFunction>;

beforeAll(async () => {
  t = await startTestApp();
  ada = await t.user().withConfig(t.provider).create();
  document = (await (await fetch(`${t.url}/asyncapi.json`)).json()) as AsyncApi;
  validators = validatorsOf(document);
});
afterAll(() => t?.stop());

/** One for each schema. Undocumented properties are errors. */
function validatorsOf({ components }: AsyncApi): Map<string, ValidateFunction> {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addFormat('int32', true).addFormat('int64', true).addFormat('double', true);
  const schemas = Object.entries(components.schemas).map(([name, schema]) => [name, closed(schema)]);
  ajv.addSchema({ $id: 'doc', components: { schemas: Object.fromEntries(schemas) } });
  const names = Object.keys(components.schemas);
  return new Map(names.map((name) => [name, ajv.compile({ $ref: `doc#/components/schemas/${name}` })]));
}

function closed(schema: Schema): Schema {
  return schema.properties ? { additionalProperties: false, ...schema } : schema;
}

const nameIn = ({ $ref }: { $ref: string }) => $ref.split('/').at(-1)!;
const payloadOf = (channel: string, message: string) =>
  nameIn(document.components.messages[`${channel}.${message}`]!.payload);

/** The errors of a body, by the schema of its message. */
function errorsOf(channel: string, message: string, body: object): unknown[] {
  const schema = payloadOf(channel, message);
  const validate = validators.get(schema)!;
  return validate(body) ? [] : [message, body, validate.errors];
}

describe('/asyncapi.json', () => {
  it('names and titles each payload once', () => {
    const messages = Object.values(document.components.messages);
    expect(messages.length).toBeGreaterThan(40);
    for (const { payload } of messages) {
      expect(payload).toEqual({ $ref: expect.stringMatching(/^#\/components\/schemas\/\w+$/) });
    }
    for (const [name, { title }] of Object.entries(document.components.schemas)) expect(title).toBe(name);
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining([
        'MessageDelta',
        'ChatSend',
        'ChatSendAck',
        'MessageDeltaEvent',
        'ChatSendFrame',
      ]),
    );
  });

  it('has no anonymous object inside a schema, free-form ones aside', () => {
    const anonymous = Object.entries(document.components.schemas).flatMap(([name, schema]) =>
      inside(schema)
        .filter(({ properties, additionalProperties }) => properties && !additionalProperties)
        .map(() => name),
    );

    expect(anonymous).toEqual([]);
  });

  it('has valid examples', () => {
    const errors = Object.entries(document.channels).flatMap(([channel, { messages }]) =>
      Object.keys(messages).flatMap((name) =>
        document.components.messages[`${channel}.${name}`]!.examples.flatMap(({ payload }) =>
          errorsOf(channel, name, payload),
        ),
      ),
    );

    expect(errors).toEqual([]);
  });

  it('has no dangling references', () => {
    const pointers = [...JSON.stringify(document).matchAll(/"#(\/[^"]+)"/g)].map(([, pointer]) => pointer!);
    expect(pointers.length).toBeGreaterThan(50);
    for (const pointer of pointers) {
      const path = pointer.slice(1).split('/');
      const target = path.reduce<unknown>((node, key) => (node as Body | undefined)?.[key], document);
      expect([pointer, target]).toEqual([pointer, expect.anything()]);
    }
  });

  it('lists the messages of each transport', () => {
    const ofOne = Object.keys(EVENTS).filter((name) => !/conversation.created|config|session/.test(name));
    const operations = {
      chat: [...Object.keys(EVENTS), ...Object.keys(COMMANDS), 'exception'],
      conversation: [...ofOne, ...Object.keys(COMMANDS), 'session.expiring', 'conversation.snapshot', 'auth'],
      events: ofOne,
    };
    const expected = Object.entries(operations).flatMap(([channel, names]) =>
      names.map((name) => `${channel}.${name}`),
    );

    expect(Object.keys(document.operations).sort()).toEqual(expected.sort());
    expect(Object.values(document.channels).map(({ address }) => address)).toEqual([
      '/chat',
      '/conversations/ws/{id}',
      '/conversations/{id}/events',
    ]);
  });
});

function inside({ properties = {}, items }: Schema): Schema[] {
  const children = [...Object.values(properties), ...(items ? [items] : [])];
  return children.flatMap((child) => [child, ...inside(child)]);
}

/** A restart needs a crash: see test/resilience/crash.e2e-spec.ts. */
const RARE = ['message.restarted'];

/** The events that the document lists for a channel. */
const listed = (channel: string) =>
  Object.entries(document.operations)
    .filter(([key, { action }]) => key.startsWith(`${channel}.`) && action === 'send')
    .map(([key]) => key.slice(channel.length + 1))
    .filter((name) => !RARE.includes(name))
    .sort();

/** Does everything that makes an event, in a conversation that exists and in one of its own. */
async function doEverything(id: number): Promise<void> {
  t.provider.willStream('Salut ', '🎉');
  await ada.send(id, 'Hi');
  await ada.post(`/conversations/${id}/update`, { title: 'Party' });
  await ada.createConversation();
  await ada.post(`/auth/config/${ada.configId}/update`, { name: 'Mine' });
  await ada.post(`/conversations/${id}/delete`);
}

describe('the events that clients receive', () => {
  it('over Socket.IO are those of its channel, with bodies by their schemas', async () => {
    const { id } = await ada.createConversation();
    const socket = ada.socket({ auth: { token: tokenWithSecondsLeft(t, ada, 55) } });
    await socket.emit('conversation.open', { conversation_id: id });
    socket.io.emit('chat.stop', { conversation_id: id });
    await doEverything(id);
    await socket.until(({ type }) => type === 'conversation.deleted');
    await socket.until(({ type }) => type === 'session.expiring');

    const seen = new Set(socket.events.map(({ type }) => type));

    expect([...seen].sort()).toEqual(listed('chat'));
    expect(socket.events.flatMap(({ type, ...body }) => errorsOf('chat', type, body))).toEqual([]);
  });

  it('over the WebSocket are those of its channel, with bodies by their schemas', async () => {
    const { id } = await ada.createConversation();
    const ws = ada.ws(id, { auth: 'frame', token: tokenWithSecondsLeft(t, ada, 55) });
    await snapshot(ws);
    await doEverything(id);
    await ws.until(({ type }) => type === 'conversation.deleted');
    await ws.until(({ type }) => type === 'session.expiring');

    const seen = new Set(ws.frames.map(({ type }) => type));

    expect([...seen].sort()).toEqual(listed('conversation'));
    expect(ws.frames.flatMap((frame) => errorsOf('conversation', frame.type, frame))).toEqual([]);
  });

  it('over server-sent events are those of its channel, with bodies by their schemas', async () => {
    const { id } = await ada.createConversation();
    const stream = await ada.sse(`/conversations/${id}/events`);
    await doEverything(id);
    await stream.until(({ type }) => type === 'conversation.deleted');

    const seen = new Set(stream.events.map(({ type }) => type));

    expect([...seen].sort()).toEqual(listed('events'));
    const bodies = stream.events.map(({ id: _id, ...body }) => body);
    expect(bodies.flatMap((body) => errorsOf('events', String(body.type), body))).toEqual([]);
  });
});

describe('acknowledgements', () => {
  /** Bodies that succeed, in order; `chat.stop` and others are refused. */
  const bodies = (id: number): Record<string, object> => ({
    'conversation.open': { conversation_id: id, limit: 10 },
    'chat.send': { conversation_id: id, content: 'Hi' },
    'chat.stop': { conversation_id: id },
    'chat.regenerate': { conversation_id: id, message_id: 0 },
    'chat.edit': { conversation_id: id, message_id: 999_999, content: 'Hi' },
    'conversation.close': { conversation_id: id },
    'auth.refresh': { token: ada.tokens.access_token },
  });

  it('over Socket.IO have the forms of their schemas', async () => {
    const { id } = await ada.createConversation();
    const socket = ada.socket();

    for (const [name, body] of Object.entries(bodies(id))) {
      if (name === 'chat.send') t.provider.willHang();
      const answer = await socket.emit(name, body);

      expect(errorsOf('chat', `${name}.ack`, answer)).toEqual([]);
      expect([name, answer.ok]).toEqual([name, !/regenerate|edit/.test(name)]);
    }
  });

  it('over the WebSocket have the forms of their schemas', async () => {
    const { id } = await ada.createConversation();
    const ws = ada.ws(id);
    await snapshot(ws);

    for (const [name, body] of Object.entries(bodies(id))) {
      if (name === 'chat.send') t.provider.willHang();
      const answer = await ws.request(name, body);

      expect(errorsOf('conversation', `${name}.ack`, answer)).toEqual([]);
      expect([name, answer.ok]).toEqual([name, !/regenerate|edit/.test(name)]);
    }
  });
});
