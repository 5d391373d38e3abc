import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenAPIObject, OperationObject, ParameterObject, ResponseObject } from '@nestjs/swagger';
import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

type Json = Record<string, unknown>;
interface Described {
  name: string;
  path: string;
  operation: OperationObject;
}

const UPSTREAM = [
  'upstream_auth',
  'upstream_rate_limited',
  'upstream_timeout',
  'upstream_unreachable',
  'upstream_bad_response',
  'upstream_error',
];
const REPLY = [
  'no_model_config',
  'key_unreadable',
  'reply_in_progress',
  'draining',
  'content_filtered',
  ...UPSTREAM,
];
/** Beside what any operation of its kind can fail with. */
const OWN_CODES = {
  'POST /auth/register': [
    'username_taken',
    'email_taken',
    'invitation_required',
    'registration_closed',
    'unavailable',
  ],
  'POST /admin/invitations': ['admin_only', 'mail_not_configured'],
  'GET /admin/invitations': ['admin_only'],
  'POST /auth/login': ['email_unverified', 'unavailable'],
  'POST /auth/exchange': ['invalid_id_token', 'email_taken', 'identity_provider_unavailable'],
  'POST /auth/identities': ['invalid_id_token', 'identity_in_use', 'identity_provider_unavailable'],
  'POST /auth/identities/{id}/delete': ['last_login_method'],
  'POST /auth/refresh': ['token_reused'],
  'POST /auth/email/verification': ['already_verified', 'mail_not_configured', 'unavailable'],
  'POST /auth/email/verify': ['email_taken', 'unavailable'],
  'POST /auth/me/username': ['username_taken'],
  'POST /auth/me/email': ['email_taken', 'reauthentication_required', 'wrong_password', 'unavailable'],
  'POST /auth/me/password': ['reauthentication_required', 'wrong_password', 'unavailable'],
  'POST /auth/me/delete': ['reauthentication_required', 'wrong_password', 'unavailable'],
  'POST /auth/config/create': ['config_limit'],
  'POST /auth/config/{id}/test': ['key_unreadable'],
  'GET /auth/config/{id}/models': ['key_unreadable', ...UPSTREAM],
  'POST /conversations/{id}/chat': [...REPLY, 'client_message_id_reused'],
  'POST /conversations/{id}/messages': [...REPLY, 'client_message_id_reused'],
  'POST /conversations/{id}/messages/{message_id}/regenerate': [...REPLY, 'wrong_role'],
  'POST /conversations/{id}/messages/{message_id}/edit': [...REPLY, 'wrong_role', 'client_message_id_reused'],
  'POST /conversations/{id}/messages/{message_id}/activate': ['reply_in_progress'],
  'POST /conversations/{id}/stop': ['no_reply_running'],
  'GET /health/ready': ['draining', 'not_ready'],
};

/** The documents are those of the build: only tsc runs the plugin that reads the DTOs' comments. */
let server: ChildProcess;
let folder: string;
let url: string;
let openApi: OpenAPIObject;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'parley-docs-'));
  const env = { PATH: process.env.PATH, NODE_ENV: 'test', PORT: '0', DATA_DIR: folder };
  server = spawn(process.execPath, ['.'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  url = await addressOf(server);
  openApi = (await (await fetch(`${url}/openapi.json`)).json()) as OpenAPIObject;
});

afterAll(async () => {
  if (server && server.exitCode === null) {
    server.kill();
    await once(server, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

async function addressOf(process: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: process.stdout! })) {
    const { url } = JSON.parse(line) as { url?: string };
    if (url) return url.replace('[::1]', 'localhost');
  }
  throw new Error('The build (npm run build) ended before it listened.');
}

const operations = (): Described[] =>
  Object.entries(openApi.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      operation: operation as OperationObject,
    })),
  );

/** Resolves references. @returns responses by status */
function responsesOf({ responses }: OperationObject): [number, ResponseObject][] {
  return Object.entries(responses).map(([status, response]) => {
    const name = response && '$ref' in response ? response.$ref.split('/').at(-1)! : undefined;
    const known = name === undefined ? response : openApi.components?.responses?.[name];
    return [Number(status), known as ResponseObject];
  });
}

describe('/openapi.json', () => {
  it('is OpenAPI 3.1 without constructs of 3.0', () => {
    expect(openApi.openapi).toMatch(/^3\.1\./);
    const schemas = JSON.stringify(openApi.components?.schemas);
    expect(schemas).not.toContain('"nullable"');
    expect(schemas).not.toContain('"example":');
    expect(JSON.stringify(openApi)).not.toMatch(/Dto"/);
  });

  it('has every documented operation', () => {
    expect(operations().map(({ name }) => name)).toEqual(expect.arrayContaining(CALLS));
  });

  it('gives every operation a summary, a described tag, and an operationId fit for an SDK', () => {
    const tags = openApi.tags?.map(({ name }) => name);
    for (const { name, operation } of operations()) {
      expect([name, operation.summary]).toEqual([name, expect.stringMatching(/\S/)]);
      expect([name, operation.operationId]).toEqual([name, expect.stringMatching(/^[a-z]+([A-Z][a-z]*)*$/)]);
      expect([name, operation.tags]).toEqual([name, [expect.any(String)]]);
      expect(tags).toContain(operation.tags![0]);
    }
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has schemas and examples for every request and response', () => {
    const bare = operations().flatMap(({ name, operation }) =>
      bareParts(operation).map((part) => `${name}: ${part}`),
    );
    expect(bare).toEqual([]);
  });

  it('has no dangling references', () => {
    const references = [...JSON.stringify(openApi).matchAll(/"#\/components\/(\w+)\/([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(100);
    for (const [, kind, name] of references) {
      const components = openApi.components as Record<string, Json>;
      expect([kind, name, components[kind!]?.[name!]]).toEqual([kind, name, expect.anything()]);
    }
  });

  it('requires a token except for public operations', () => {
    expect(openApi.security).toEqual([{ bearer: [] }]);
    const open = operations().filter(({ operation }) => operation.security?.length === 0);
    expect(open.map(({ name }) => name).sort()).toEqual(PUBLIC_CALLS);
    const content = operations().find(({ name }) => name === 'GET /files/{id}/content')!;
    expect(content.operation.security).toEqual(expect.arrayContaining([{ bearer: [] }, {}]));
    expect(content.operation.security).toHaveLength(2);
  });

  it('lists each operation’s error statuses', () => {
    for (const { name, path, operation } of operations()) {
      const statuses = Object.keys(operation.responses).map(Number);
      expect([name, statuses]).toEqual([name, expect.arrayContaining(expectedFailures(path, operation))]);
    }
  });

  it.each([
    ['POST /auth/register', ['database_unavailable', 'unavailable']],
    ['POST /auth/login', ['database_unavailable', 'unavailable']],
    ['POST /auth/me/email', ['database_unavailable', 'unavailable']],
    ['POST /auth/me/password', ['database_unavailable', 'unavailable']],
    ['POST /auth/me/delete', ['database_unavailable', 'unavailable']],
    ['GET /health/ready', ['draining', 'not_ready']],
  ])('lists each unavailability code of %s', (call, codes) => {
    const { operation } = operations().find(({ name }) => name === call)!;
    const [, response] = responsesOf(operation).find(([status]) => status === 503)!;

    expect(Object.keys(response.content!['application/problem+json']!.examples!)).toEqual(codes);
  });

  it.each(Object.entries(OWN_CODES))('lists the codes specific to %s', (call, codes) => {
    const { operation } = operations().find(({ name }) => name === call)!;
    const named = responsesOf(operation).flatMap(([, { content }]) =>
      Object.keys(content?.['application/problem+json']?.examples ?? {}),
    );

    expect(named).toEqual(expect.arrayContaining(codes));
  });

  it('has one problem example per code, each with its response’s status', () => {
    for (const { name, operation } of operations()) {
      for (const [status, response] of responsesOf(operation).filter(([status]) => status >= 400)) {
        const { schema, examples } = response.content!['application/problem+json']!;
        expect(schema).toEqual({ $ref: '#/components/schemas/Problem' });
        expect([name, status, Object.keys(examples!).length > 0]).toEqual([name, status, true]);
        for (const [code, example] of Object.entries(examples!)) {
          const problem = { status, code, title: expect.any(String), detail: expect.any(String) };
          expect([name, example]).toEqual([
            name,
            expect.objectContaining({ value: expect.objectContaining(problem) }),
          ]);
        }
      }
    }
  });

  it('lists exactly the problem codes of the sources', () => {
    const { properties } = openApi.components!.schemas!.Problem as {
      properties: { code: { 'x-extensible-enum': string[]; description: string } };
    };
    const { 'x-extensible-enum': listed, description } = properties.code;
    const [thrown, sources] = [codesInSources(), sourcesOutsideDocs()];

    for (const code of listed) expect(description).toContain(`\`${code}\`: `);
    expect(new Set(thrown).size).toBeGreaterThan(15);
    expect(thrown.filter((code) => !listed.includes(code))).toEqual([]);
    expect(listed.filter((code) => !sources.includes(`'${code}'`))).toEqual([]);
  });
});

describe('/docs', () => {
  it('serves Swagger UI under its content security policy', async () => {
    const page = await fetch(`${url}/docs`);
    const html = await page.text();
    expect(page.headers.get('Content-Security-Policy')).not.toMatch(/script-src[^;]*unsafe/);
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
    const scripts = [...html.matchAll(/<script src="([^"]+)"/g)].map(
      ([, source]) => new URL(source!, page.url),
    );
    expect(scripts.length).toBeGreaterThan(0);
    for (const script of scripts) {
      const { status, headers } = await fetch(script);
      expect([script.pathname, status, headers.get('Content-Type')]).toEqual([
        script.pathname,
        200,
        expect.stringContaining('javascript'),
      ]);
    }
  });

  it('offers Authorize with an access token', async () => {
    const script = await (await fetch(`${url}/docs/swagger-ui-init.js`)).text();
    expect(script).toContain('"bearerFormat": "JWT"');
    expect(openApi.components?.securitySchemes?.bearer).toMatchObject({ type: 'http', scheme: 'bearer' });
  });
});

function bareParts(operation: OperationObject): string[] {
  const parameters = (operation.parameters ?? []) as ParameterObject[];
  const body = operation.requestBody as ResponseObject | undefined;
  const contents = [['body', body] as const, ...responsesOf(operation)].flatMap(([part, holder]) =>
    Object.entries(holder?.content ?? {}).map(([type, media]) => ({ part: `${part} ${type}`, media })),
  );
  const noContent = responsesOf(operation).filter(
    ([status, { content }]) => ![202, 204, 304].includes(status) && !content,
  );
  return [
    ...parameters
      .filter(({ schema, required, example }) => !schema || (required && example === undefined))
      .map(({ name }) => name),
    ...contents
      .filter(({ media }) => !media.schema || !(media.example ?? media.examples))
      .map(({ part }) => part),
    ...noContent.map(([status]) => `${status} without content`),
  ];
}

function expectedFailures(path: string, operation: OperationObject): number[] {
  if (path.startsWith('/health/')) return [];
  const takesQuery = operation.parameters?.some((parameter) => 'in' in parameter && parameter.in === 'query');
  return [
    429,
    503,
    ...(operation.security?.length === 0 ? [] : [401]),
    ...(operation.requestBody ? [400, 413, 415, 422] : []),
    ...(takesQuery ? [422] : []),
    ...(path.includes('{') ? [404] : []),
  ];
}

/** All that is compiled but for what makes the document. */
function sourcesOutsideDocs(): string {
  const source = join(process.cwd(), 'src');
  return readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((file) => /(?<!spec)\.ts$/.test(file) && !file.startsWith('docs'))
    .map((file) => readFileSync(join(source, file), 'utf8'))
    .join('\n');
}

/** The codes that the sources give to the errors they throw. */
function codesInSources(): string[] {
  const thrown =
    /(?:Problem|Conflict|Unavailable|Unauthenticated|Provider)Error\(\s*(?:\d+,\s*)?'([a-z_]+)'/g;
  return [...sourcesOutsideDocs().matchAll(thrown)].map(([, code]) => code!);
}

const PUBLIC_CALLS = [
  'GET /health/live',
  'GET /health/ready',
  'POST /auth/email/verify',
  'POST /auth/exchange',
  'POST /auth/login',
  'POST /auth/password/forgot',
  'POST /auth/password/reset',
  'POST /auth/refresh',
  'POST /auth/register',
];

const CALLS = [
  ...PUBLIC_CALLS,
  'GET /files/{id}/content',
  'POST /auth/email/verification',
  'GET /auth/me',
  'POST /auth/me/username',
  'POST /auth/me/email',
  'POST /auth/me/totp',
  'POST /auth/me/totp/confirm',
  'POST /auth/me/totp/remove',
  'POST /auth/me/password',
  'GET /auth/me/export',
  'POST /auth/me/delete',
  'POST /auth/logout',
  'GET /auth/sessions',
  'GET /auth/identities',
  'POST /auth/identities',
  'POST /auth/identities/{id}/delete',
  'GET /admin/invitations',
  'POST /admin/invitations',
  'POST /admin/invitations/{id}/delete',
  'POST /auth/sessions/{id}/revoke',
  'POST /auth/sessions/revoke-others',
  'GET /auth/config',
  'POST /auth/config/create',
  'POST /auth/config/{id}/update',
  'POST /auth/config/{id}/delete',
  'POST /auth/config/{id}/test',
  'GET /auth/config/{id}/models',
  'GET /conversations',
  'POST /conversations/create',
  'GET /conversations/search',
  'GET /conversations/{id}',
  'POST /conversations/{id}/update',
  'POST /conversations/{id}/delete',
  'POST /conversations/{id}/chat',
  'POST /conversations/{id}/messages',
  'POST /conversations/{id}/stop',
  'POST /conversations/{id}/messages/{message_id}/regenerate',
  'POST /conversations/{id}/messages/{message_id}/edit',
  'POST /conversations/{id}/messages/{message_id}/activate',
  'GET /conversations/{id}/events',
  'POST /files',
  'GET /files',
  'GET /files/{id}',
  'POST /files/{id}/delete',
];
