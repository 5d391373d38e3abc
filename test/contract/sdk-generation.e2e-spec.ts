import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenAPIObject, OperationObject } from '@nestjs/swagger';
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Schema } from '../../src/docs/openapi/examples.js';
import { ApiDocument, type Operation } from '../security/api-document.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { typesOf as typesOfEvents } from '../support/clients/events.js';

type Schemas = Record<string, Schema>;

let t: TestApp;
let document: ApiDocument;
let openApi: OpenAPIObject;
let schemas: Schemas;
beforeAll(async () => {
  [t, document] = await Promise.all([startTestApp(), ApiDocument.ofBuild()]);
  openApi = document.openApi;
  schemas = openApi.components!.schemas as Schemas;
});
afterAll(() => t?.stop());

/** Each schema of the document with its place. */
function allSchemas(): [place: string, schema: Schema][] {
  const found: [string, Schema][] = [];
  const visit = (node: unknown, place: string, isSchema: boolean): void => {
    if (typeof node !== 'object' || node === null) return;
    if (isSchema) found.push([place, node as Schema]);
    for (const [key, value] of Object.entries(node)) {
      if (['example', 'examples', 'default', 'const', 'enum'].includes(key)) continue;
      const isMap = ['properties', 'schemas'].includes(key);
      const inner = ['schema', 'items', 'additionalProperties'].includes(key);
      if (isMap)
        Object.entries(value as object).forEach(([name, each]) => visit(each, `${place}.${name}`, true));
      else if (Array.isArray(value)) value.forEach((each) => visit(each, `${place}.${key}`, isSchema));
      else visit(value, `${place}.${key}`, inner);
    }
  };
  visit(openApi, '', false);
  return found;
}

const typesOf = ({ type }: Schema): unknown[] => [type].flat();

describe('docs/contract', () => {
  it('has the documents of the built server, as `npm run sdk` writes them', () => {
    const committed = (name: string) =>
      JSON.parse(readFileSync(`docs/contract/${name}.json`, 'utf8')) as unknown;

    expect(openApi).toEqual(committed('openapi'));
    expect(document.asyncApi).toEqual(committed('asyncapi'));
  });
});

describe('schemas for generators', () => {
  it('have names of words, without the suffix that the build gives the second class of a name', () => {
    const names = [openApi.components, document.asyncApi.components].map((each) =>
      Object.keys(each!.schemas!),
    );

    expect(names.flat().length).toBeGreaterThan(60);
    for (const name of names.flat()) expect(name).toMatch(/^[A-Z][A-Za-z]*(?<!Dto)$/);
    // Go's generator makes a function of this name for each schema.
    expect(
      names.flatMap((each) =>
        each.filter((name) => each.includes(name.replace(/^New/, '')) && /^New/.test(name)),
      ),
    ).toEqual([]);
  });

  it('give every number a format', () => {
    const numbers = allSchemas().filter(([, schema]) => typesOf(schema).some((type) => type === 'number'));
    const integers = allSchemas().filter(([, schema]) => typesOf(schema).some((type) => type === 'integer'));

    expect(numbers.length).toBeGreaterThan(4);
    expect(integers.length).toBeGreaterThan(60);
    for (const [place, { format }] of numbers) expect([place, format]).toEqual([place, 'double']);
    for (const [place, { format }] of integers) {
      expect([place, format]).toEqual([place, expect.stringMatching(/^int(32|64)$/)]);
    }
  });

  it('make ids 64-bit integers', () => {
    const ids = allSchemas().filter(
      ([place]) => /\.(\w+_)?id$/.test(place) && !/client_message|request/.test(place),
    );

    expect(ids.length).toBeGreaterThan(15);
    for (const [place, { format }] of ids) expect([place, format]).toEqual([place, 'int64']);
    expect(schemas.Message!.properties!.sibling_ids).toMatchObject({
      items: { type: 'integer', format: 'int64' },
    });
    const inPaths = document.operations
      .flatMap(({ parameters }) => parameters)
      .filter((each) => each.in === 'path');
    for (const { schema } of inPaths) expect(schema).toMatchObject({ type: 'integer', format: 'int64' });
  });

  it('have no closed enums, at whose unknown values generated clients throw', () => {
    const closed = allSchemas().filter(([, schema]) => schema.enum);
    const open = allSchemas().filter(([, schema]) => 'x-extensible-enum' in schema);

    expect(closed).toEqual([]);
    expect(open.map(([place]) => place)).toEqual(
      expect.arrayContaining(
        ['MessageRole', 'MessageStatus', 'TitleSource'].map((name) => `.components.${name}`),
      ),
    );
    for (const [place, { description }] of open) {
      expect([place, description]).toEqual([place, expect.stringMatching(/[Cc]lients accept unknown ones/)]);
    }
  });

  it('make `stop` a list', () => {
    const { type, items, minItems, maxItems } = schemas.ModelParams!.properties!.stop as Schema;

    expect({ type, items, minItems, maxItems }).toMatchObject({
      type: ['array', 'null'],
      items: { type: 'string' },
      minItems: 1,
      maxItems: 4,
    });
  });

  it('have no writeOnly fields, which generators split off into a second schema', () => {
    expect(JSON.stringify(openApi)).not.toContain('"writeOnly"');
  });
});

describe('operations', () => {
  it('have a description of each parameter and of what they do', () => {
    for (const { name, parameters, source } of document.operations) {
      expect([name, source.description]).toEqual([name, expect.stringMatching(/^.{15,}\.$/s)]);
      for (const { name: parameter, description } of parameters) {
        expect([name, parameter, description]).toEqual([
          name,
          parameter,
          expect.stringMatching(/^.{10,}\.$/),
        ]);
        expect(description).not.toContain("thing's id");
      }
    }
  });

  it('have no examples of optional parameters, which Swagger UI fills in', () => {
    const optional = document.operations
      .flatMap(({ parameters }) => parameters)
      .filter((each) => !each.required);

    expect(optional.length).toBeGreaterThan(9);
    for (const { example, schema } of optional)
      expect([example, schema]).toEqual([
        undefined,
        expect.not.objectContaining({ examples: expect.anything() }),
      ]);
  });

  it('accept the examples of their bodies', async () => {
    const ada = await t.user().withConfig(t.provider).create();
    const refused: unknown[] = [];
    // 422 without a mailed token; 409 without a second factor to confirm.
    const others = ['/auth/password/reset', '/auth/email/verify', '/auth/me/totp/confirm'];
    const operations = document.operations.filter(({ path, body }) => body && !others.includes(path));
    for (const { method, path, body } of operations) {
      const { id } = await ada.createConversation();
      const sent = await ada.send(id, 'Hi');
      const message = path.endsWith('/edit') ? sent.body.user_message.id : sent.body.assistant_message.id;
      const ids = path.startsWith('/auth/config') ? ada.configId : id;
      const place = path.replace('{id}', String(ids)).replace('{message_id}', String(message));
      const example =
        'model_url' in body!.example ? { ...body!.example, model_url: t.provider.url } : body!.example;
      const answer = await ada.request(method, place, example);
      if ([400, 409, 422].includes(answer.status)) refused.push([path, example, answer.body]);
    }

    expect(refused).toEqual([]);
  });
});

describe('servers', () => {
  it('are relative to the document where no public URL is set', () => {
    expect(openApi.servers).toEqual([{ url: '.', description: 'This server' }]);
  });

  it('name PUBLIC_URL in both documents', async () => {
    const at = await ApiDocument.ofBuild({ PUBLIC_URL: 'https://chat.example.com/api' });

    expect(at.openApi.servers).toEqual([{ url: 'https://chat.example.com/api', description: 'This server' }]);
    expect(at.asyncApi.servers).toMatchObject({
      socketio: { host: 'chat.example.com', pathname: '/api/socket.io/' },
      websocket: { host: 'chat.example.com', pathname: '/api', protocol: 'wss' },
      http: { host: 'chat.example.com', pathname: '/api', protocol: 'https' },
    });
  });
});

describe('error responses', () => {
  it('have short names', () => {
    const names = Object.keys(openApi.components!.responses!);

    expect(names).toEqual(expect.arrayContaining(['NotFound', 'TooManyRequests', 'SendMessageConflict']));
    for (const name of names) expect(name).toMatch(/^([A-Z][a-z]+){1,6}$/);
  });
});

describe('event streams', () => {
  const typesOfSuccess = ({ source }: Operation) => Object.keys(successOf(source).content ?? {});

  it('are documented for streamMessage and streamEvents, and JSON for all others', () => {
    const streams = document.operations.filter((each) => typesOfSuccess(each).includes('text/event-stream'));

    expect(streams.map(({ name, source }) => [name, source.operationId])).toEqual([
      ['POST /conversations/{id}/messages', 'streamMessage'],
      ['GET /conversations/{id}/events', 'streamEvents'],
    ]);
    for (const stream of streams) {
      expect(typesOfSuccess(stream)).toEqual(['text/event-stream']);
      const { schema } = successOf(stream.source).content!['text/event-stream']!;
      expect(schema).toEqual({ $ref: '#/components/schemas/Event' });
    }
  });

  it.each(['sendMessage', 'regenerateReply', 'editMessage'])('are mentioned by %s', (operationId) => {
    const operation = document.operations.find(({ source }) => source.operationId === operationId)!;

    expect(successOf(operation.source).content).toEqual({
      'application/json': expect.objectContaining({ schema: { $ref: '#/components/schemas/Turn' } }),
    });
    expect(operation.source.description).toContain('`Accept: text/event-stream`');
  });

  it('can be resumed by the header Last-Event-ID', () => {
    const events = document.operations.find(({ source }) => source.operationId === 'streamEvents')!;

    expect(events.parameters).toContainEqual(
      expect.objectContaining({
        in: 'header',
        name: 'Last-Event-ID',
        schema: { type: 'string' },
      }),
    );
  });

  it('carry events with a schema for each type', async () => {
    const { oneOf, discriminator } = schemas.Event!;
    const mapping = discriminator!.mapping!;
    expect(oneOf).toEqual(Object.values(mapping).map(($ref) => ({ $ref })));
    const ada = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();

    const stream = await ada.sse(`/conversations/${id}/messages`, { content: 'Hi' });
    await stream.ended;

    const types = new Set(typesOfEvents(stream.events));
    expect(types).toEqual(new Set(['message.created', 'message.delta', 'message.completed']));
    for (const { id: _, ...data } of stream.events) expect(errorsIn(data, mapping[data.type]!)).toEqual([]);
  });
});

/** The response of a successful operation. */
function successOf({ responses }: OperationObject) {
  const [, success] = Object.entries(responses).find(([status]) => Number(status) < 300)!;
  return success as { content?: Record<string, { schema: unknown }> };
}

function errorsIn(data: unknown, reference: string): unknown[] {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const validate = ajv.compile({ $ref: reference, components: openApi.components });
  validate(data);
  return validate.errors ?? [];
}
