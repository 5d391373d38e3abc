/** Access to another user's objects over every documented operation (OWASP API1:2023). */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MetadataScanner } from '@nestjs/core';
import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { ExternalIdentity } from '../../src/auth/identities/external-identity.entity.js';
import { ChatGateway } from '../../src/chat/transports/socket-io/chat.gateway.js';
import { sessionIdOf } from '../support/app/access-token.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { HttpClient, Thing } from '../support/clients/http.js';
import type { TestUser } from '../support/app/user.js';
import { WebSocketClient } from '../support/clients/websocket.js';
import { ApiDocument, type Operation } from './api-document.js';
import { choicesOf, type IdPlace, idPlacesOf, idPlacesOfCommand, KINDS, type Things } from './id-places.js';
import { readLastingState } from './tables.js';

type Values = (place: IdPlace) => number | undefined;
interface Reply {
  status: number;
  body: Record<string, unknown>;
}

const MISSING = 900_000_000_007;
const MARKER = 'words that only their owner may read';

let t: TestApp;
let document: ApiDocument;
let ada: TestUser;
let eve: TestUser;
/** Ids of Ada's things, which Eve tries to access. */
let adas: Things;
let eves: Things;
let operations: Operation[];
let withIds: [Operation, IdPlace[]][];

beforeAll(async () => {
  t = await startTestApp();
  document = await ApiDocument.ofBuild();
  // Calls of administrators read everybody's objects and are 403 for users.
  operations = document.operations.filter(({ path }) => !path.startsWith('/admin/'));
  withIds = operations
    .map((operation): [Operation, IdPlace[]] => [operation, idPlacesOf(document, operation)])
    .filter(([, places]) => places.length > 0);
  eve = await t.user().withConfig(t.provider).create();
  eves = await thingsOf(eve, 'mine');
  ada = await t.user().withConfig(t.provider).create();
  // Ada's ids are higher than Eve's, so that none identifies a thing of Eve's.
  const highest = Math.max(...Object.values(eves));
  do adas = await thingsOf(ada, MARKER);
  while (KINDS.some((kind) => adas[kind] <= highest));
});
afterAll(() => t?.stop());

/** Creates one thing of each kind. */
async function thingsOf(user: TestUser, words: string): Promise<Things> {
  const config = { model_url: t.provider.url, model_name: 'test-model', api_key: 'sk-test', name: words };
  const { body: made } = await user.post('/auth/config/create', config);
  const conversation = await user.createConversation({ title: words, system_prompt: words });
  t.provider.willStream(words);
  const { body } = await user.send(conversation.id, words);
  const { tokens } = await user.signInAgain();
  return {
    conversation: conversation.id,
    message: body.assistant_message.id,
    config: made.id,
    session: sessionIdOf(tokens),
    identity: await newIdentity(user.id, words),
    file: await newFile(user, words),
  };
}

/** Its content is JSON, as other answers are. */
async function newFile(user: TestUser, words: string): Promise<number> {
  const head = `Content-Disposition: form-data; name="file"; filename="${words}.json"\r\n`;
  const text = `--x\r\n${head}Content-Type: application/json\r\n\r\n${JSON.stringify({ words })}\r\n--x--\r\n`;
  const { body } = await user.post('/files', text, { 'Content-Type': 'multipart/form-data; boundary=x' });
  return body.id;
}

async function newIdentity(userId: number, subject: string): Promise<number> {
  const row = { userId, identityKey: randomUUID(), issuer: 'https://login.example.com', subject };
  const identity = t.manager.create(ExternalIdentity, { ...row, createdAt: new Date() });
  await t.manager.insert(ExternalIdentity, identity);
  return identity.id;
}

/** Calls an operation with the ids of `values`, and the documented example for all else. */
async function call(client: HttpClient, operation: Operation, values: Values): Promise<Reply> {
  const places = idPlacesOf(document, operation);
  const at = (where: IdPlace['in']) =>
    places.filter((place) => place.in === where && values(place) !== undefined);
  const path = at('path').reduce(
    (path, place) => path.replace(`{${place.name}}`, `${values(place)}`),
    operation.path,
  );
  const query = new URLSearchParams(
    at('query').map((place): [string, string] => [place.name, `${values(place)}`]),
  );
  for (const { name, in: where, required } of operation.parameters)
    if (where === 'query' && required && !query.has(name)) query.set(name, MARKER);
  const ids = Object.fromEntries(at('body').map((place) => [place.name, inBody(place, values(place)!)]));
  const body = operation.body && { ...bodyOf(operation), ...ids };
  return read(client, operation.method, `${path}?${query}`, body);
}

/** Fields with a plural name take a list. */
const inBody = ({ name }: IdPlace, id: number) => (name.endsWith('_ids') ? [id] : id);

function bodyOf({ body }: Operation): object {
  const { config_id: _, client_message_id: __, file_ids: ___, ...example } = body!.example;
  return 'model_url' in example ? { ...example, model_url: t.provider.url } : example;
}

/** Event streams are aborted after their headers. */
async function read(client: HttpClient, method: string, path: string, body?: object): Promise<Reply> {
  const abort = new AbortController();
  const response = await client.fetch(method, path, body, {}, abort.signal);
  if (response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
    abort.abort();
    return { status: response.status, body: {} };
  }
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : {} };
}

/** Removes the fields that differ between otherwise identical answers. */
function anonymous({ status, body }: Reply): Reply {
  const { request_id: _, instance: __, ...rest } = body;
  return { status, body: rest };
}

const valuesOf =
  (theirs: IdPlace[], id: Values): Values =>
  (place) =>
    theirs.includes(place) || theirs.some(({ name }) => name === place.name) ? id(place) : ownOrNone(place);

/** Paths need an id; queries and bodies contain only the tested ids. */
const ownOrNone: Values = ({ in: where, kind }) => (where === 'path' ? eves[kind] : undefined);

/** Expects 404 for an id in the path, 422 naming the field for one in the body, and no results for a cursor. */
function expectRefusal({ status, body }: Reply, theirs: IdPlace[], owner: string): void {
  const fields = theirs.filter((place) => place.in === 'body').map(({ name }) => name);
  if (theirs.some((place) => place.in === 'path')) {
    // Either check may run first if both path and body contain a foreign id.
    const codes = fields.length > 0 ? ['not_found', 'validation_failed'] : ['not_found'];
    expect([owner, codes]).toEqual([owner, expect.arrayContaining([body.code])]);
    expect([owner, status]).toEqual([owner, body.code === 'not_found' ? 404 : 422]);
  } else if (fields.length > 0) {
    // Files are read once the configuration is found.
    const [field] = fields.includes('config_id') ? ['config_id'] : fields;
    expect([owner, status, body.errors]).toEqual([owner, 422, [{ field, message: expect.any(String) }]]);
  } else expect([owner, status]).toEqual([owner, 200]);
  expect(JSON.stringify(body)).not.toContain(MARKER);
}

/** Expects an attempt to change no row and send no request to the provider. */
async function expectNoEffect(attempt: () => Promise<void>): Promise<void> {
  const [before, asked] = [await readLastingState(t.app.get(DataSource)), t.provider.requests.length];
  await attempt();
  expect(await readLastingState(t.app.get(DataSource))).toEqual(before);
  expect(t.provider.requests).toHaveLength(asked);
}

describe('HTTP', () => {
  it('has operations with ids of every kind to try', () => {
    const kinds = withIds.flatMap(([, places]) => places.map(({ kind }) => kind));

    expect(new Set(kinds)).toEqual(new Set(KINDS));
    expect(withIds.length).toBeGreaterThan(15);
  });

  it('answers another user’s ids like missing ids of every kind, without effect', async () => {
    await expectNoEffect(async () => {
      for (const [operation, places] of withIds) {
        for (const theirs of choicesOf(places)) {
          const missing = await call(
            eve,
            operation,
            valuesOf(theirs, () => MISSING),
          );
          expectRefusal(missing, theirs, `${operation.name} without a thing`);
          for (const id of idsToTry()) {
            const answer = await call(eve, operation, valuesOf(theirs, id));
            expectRefusal(answer, theirs, operation.name);
            expect([operation.name, anonymous(answer)]).toEqual([operation.name, anonymous(missing)]);
          }
        }
      }
    });
  });

  it('answers no id without a token', async () => {
    await expectNoEffect(async () => {
      for (const [operation, places] of withIds) {
        const answer = await call(
          t.http,
          operation,
          valuesOf(places, ({ kind }) => adas[kind]),
        );
        const missing = await call(
          t.http,
          operation,
          valuesOf(places, () => MISSING),
        );
        expect([operation.name, answer.status, answer.body.code]).toEqual([
          operation.name,
          401,
          'unauthenticated',
        ]);
        expect(anonymous(answer)).toEqual(anonymous(missing));
      }
    });
  });

  it('shows nothing of another user in operations without ids', async () => {
    const lists = operations.filter(({ method, path }) => method === 'GET' && !path.includes('{'));
    for (const operation of lists) {
      const path = `${operation.path}?${new URLSearchParams({ q: MARKER })}`;
      const { status, body } = await read(eve, 'GET', path);
      expect([operation.name, status]).toEqual([operation.name, 200]);
      expect([operation.name, JSON.stringify(body)]).toEqual([
        operation.name,
        expect.not.stringContaining(MARKER),
      ]);
    }
    expect(JSON.stringify((await ada.get('/auth/me/export')).body)).toContain(MARKER);
  });

  it('resumes only the user’s own stream, for any Last-Event-ID', async () => {
    for (const cursor of [`${adas.message}.1.0.0`, `${adas.message}.1.0.0.done`, '1.1.0.0']) {
      const stream = await eve.sse(`/conversations/${eves.conversation}/events`, undefined, {
        'Last-Event-ID': cursor,
      });
      await ada.send(adas.conversation, MARKER);
      await eve.send(eves.conversation, 'mine');
      await stream.until(({ type }) => type === 'message.completed');
      expect(JSON.stringify(stream.events)).not.toContain(MARKER);
      await stream.close();
    }
  });

  it('lets the owner do everything refused to others', async () => {
    for (const [operation, places] of withIds) {
      const fresh = await thingsOf(ada, MARKER);
      const inPaths = places.filter((place) => place.in === 'path');
      const { status } = await call(
        ada,
        operation,
        valuesOf(inPaths, ({ kind }) => fresh[kind]),
      );
      expect([operation.name, [200, 201, 204, 409].includes(status) || status]).toEqual([
        operation.name,
        true,
      ]);
    }
  });
});

/** Ids of the right kind, then of every other kind, in case tables are confused. */
function idsToTry(): Values[] {
  const natural: Values = ({ kind }) => adas[kind];
  return [
    natural,
    ...KINDS.map(
      (kind): Values =>
        () =>
          adas[kind],
    ),
  ];
}

interface Transport {
  name: string;
  channel: string;
  open(): Promise<(command: string, body: object) => Promise<Record<string, unknown>>>;
}

const TRANSPORTS: Transport[] = [
  {
    name: 'Socket.IO',
    channel: 'chat',
    open: async () => {
      const socket = eve.socket();
      await socket.connected;
      return async (command, body) =>
        (await socket.emit(command, body)) as unknown as Record<string, unknown>;
    },
  },
  {
    name: 'the WebSocket',
    channel: 'conversation',
    open: async () => {
      const socket = eve.ws(eves.conversation);
      await socket.until(({ type }) => type === 'conversation.snapshot');
      return async (command, body) => {
        const { type: _, id: __, ...answer } = await socket.request(command, body);
        return answer;
      };
    },
  },
];

describe.each(TRANSPORTS)('$name', ({ channel, open }) => {
  it('answers another user’s ids like missing ids of every kind, without effect', async () => {
    const send = await open();
    const commands = document.commandsOf(channel);
    expect(commands.map(({ name }) => name).sort()).toEqual(commandsOfGateway());
    await expectNoEffect(async () => {
      for (const { name, body } of commands) {
        const places = idPlacesOfCommand(document, name, withoutFrameId(body));
        for (const theirs of choicesOf(places)) {
          const frame = (id: Values) => ({ ...exampleOf(body), ...idsOf(places, valuesOf(theirs, id)) });
          const missing = await send(
            name,
            frame(() => MISSING),
          );
          expectRefused(name, missing, theirs);
          for (const id of idsToTry()) {
            const answer = await send(name, frame(id));
            expect([name, withoutRequest(answer)]).toEqual([name, withoutRequest(missing)]);
          }
        }
      }
    });
  });

  it('sends no event of another user', async () => {
    const socket = eve.socket();
    const plain = eve.ws(eves.conversation);
    await socket.emit('conversation.open', { conversation_id: adas.conversation });
    await plain.request('conversation.open', { conversation_id: adas.conversation });
    await ada.send(adas.conversation, MARKER);
    await ada.post(`/conversations/${adas.conversation}/update`, { pinned: true });
    await eve.send(eves.conversation, 'mine');
    await socket.until(({ type }) => type === 'message.completed');
    await plain.until(({ type }) => type === 'message.completed');

    expect(JSON.stringify([socket.events, plain.frames])).not.toContain(MARKER);
  });
});

describe('a handshake', () => {
  it('for another user’s conversation ends like one for a missing conversation', async () => {
    const ends = await Promise.all([adas.conversation, MISSING].map((id) => eve.ws(id).closed));

    expect(ends[0]).toEqual(ends[1]);
    expect(ends[0]!.code).toBe(4404);
  });

  it('without a token reveals nothing of a conversation', async () => {
    const ends = [adas.conversation, MISSING].map(async (id) => {
      const socket = t.opened(new WebSocketClient(`${t.url}/conversations/ws/${id}`, { auth: 'none' }));
      await socket.send({ type: 'conversation.open', conversation_id: id });
      return socket.closed;
    });

    expect(await ends[0]).toEqual(await ends[1]);
    expect((await ends[0])!.code).toBe(4401);
  });
});

/** @returns the commands that the gateway handles */
function commandsOfGateway(): string[] {
  const prototype = ChatGateway.prototype as unknown as Record<string, object>;
  return new MetadataScanner()
    .getAllMethodNames(prototype)
    .map((name) => Reflect.getMetadata('message', prototype[name]!) as string | undefined)
    .filter((name) => name !== undefined)
    .sort();
}

/** Removes the frame's `id`, which only identifies its acknowledgement. */
function withoutFrameId(body: { properties?: Record<string, unknown> }): object {
  const { id: _, ...properties } = body.properties ?? {};
  return { ...body, properties };
}

function exampleOf(body: { properties?: Record<string, unknown> }): object {
  return 'content' in (body.properties ?? {}) ? { content: MARKER } : {};
}

/** Adds the user's own ids for required fields. */
function idsOf(places: IdPlace[], values: Values): object {
  const known = places.flatMap((place) => {
    const id = values(place) ?? (isOptional(place) ? undefined : eves[place.kind]);
    return id === undefined ? [] : [[place.name, inBody(place, id)]];
  });
  return Object.fromEntries(known) as object;
}

const isOptional = ({ kind }: IdPlace) => kind === 'config' || kind === 'file';

/** Closing needs no ownership: `conversation.close` is acknowledged for any id. */
function expectRefused(command: string, answer: Record<string, unknown>, theirs: IdPlace[]): void {
  if (command === 'conversation.close') return expect(answer).toEqual({ ok: true, data: {} });
  const statuses = [...(theirs.some(isOptional) ? [422] : []), ...(theirs.every(isOptional) ? [] : [404])];
  const { status } = (answer.error ?? {}) as Thing;
  expect([command, answer.ok, statuses]).toEqual([command, false, expect.arrayContaining([status])]);
}

function withoutRequest({ error, ...answer }: Record<string, unknown>): object {
  const { request_id: _, instance: __, ...rest } = (error ?? {}) as Record<string, unknown>;
  return { ...answer, error: rest };
}
