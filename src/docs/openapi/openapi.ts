import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type HeaderObject, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { Settings } from '../../env/settings.js';
import { addEventSchemas, EVENT_MODELS } from './events.js';
import { finishOperations, publicOperationsOf } from './operations.js';
import { PROBLEM_SCHEMAS } from './problem-responses.js';
import {
  describeRequestBodies,
  dropDtoSuffix,
  finishSchema,
  requireAlternatives,
  schemasUsedBy,
} from './schemas.js';

const VERSION = '0.1.0';

const DESCRIPTION = `
Parley is the chat backend that web and mobile teams put behind their own chat UI: accounts, model configurations,
conversations and replies that stream live from any OpenAI-compatible model.

**Signing in.** \`POST /auth/register\`, then \`POST /auth/login\`. Send the \`access_token\` as
\`Authorization: Bearer …\` (here: log in above). It is good for an hour; \`POST /auth/refresh\` trades the
\`refresh_token\`, once, for a new pair.

**Streaming.** A send with \`Accept: text/event-stream\` is answered with the reply's events as they happen;
Swagger UI shows them once the reply has ended.
Socket.IO, a plain WebSocket and the bodies of all events are described in [AsyncAPI](asyncapi.json).

**Conventions.** JSON in UTF-8, \`snake_case\` fields, ids that are positive integers, times in UTC (RFC 3339).
Unknown fields in a body are refused; null for an optional field means absent, unless the schema allows null. Every answer carries \`X-Request-Id\`.

**Errors** are RFC 9457 \`application/problem+json\`. \`code\` is stable and for programs, \`detail\` is for people; the
schema \`Problem\` lists every code.

**Limits.** \`RateLimit-*\` headers report the remaining budget. Over a limit, the answer is 429 with \`Retry-After\`.
`.trim();

const HEADERS: Record<string, HeaderObject> = {
  'X-Request-Id': {
    description:
      "Id of the request in the server's log: the X-Request-Id of the request if it has 8 to 64 letters, digits, `_`, `.` or `-`, else a new one.",
    schema: { type: 'string' },
    example: 'c3f0cf5e-2f0c-4d4a-8a51-6f1f9a1e2b77',
  },
  'RateLimit-Limit': {
    description: 'Requests a window.',
    schema: { type: 'integer', format: 'int32' },
    example: 600,
  },
  'RateLimit-Remaining': {
    description: 'Requests left in this window.',
    schema: { type: 'integer', format: 'int32' },
    example: 599,
  },
  'RateLimit-Reset': {
    description: 'Seconds until the window ends.',
    schema: { type: 'integer', format: 'int32' },
    example: 42,
  },
  'Retry-After': {
    description: 'Seconds to wait before trying again.',
    schema: { type: 'integer', format: 'int32' },
    example: 12,
  },
  'WWW-Authenticate': {
    description: 'What is wrong with the token (RFC 6750 section 3).',
    schema: { type: 'string' },
    example:
      'Bearer realm="parley", error="invalid_token", error_description="The access token has expired."',
  },
};

/**
 * Builds the OpenAPI 3.1 document: the controllers' routes, with common responses, headers and examples added. Its
 * schemas include those of events, and of models.
 */
export function describeApi(app: INestApplication, models: (new () => object)[]): OpenAPIObject {
  const scanned = SwaggerModule.createDocument(app, frame(app.get(Settings).publicUrl), {
    operationIdFactory: (_controller, method) => method,
    extraModels: [...EVENT_MODELS, ...models],
  });
  const document = dropDtoSuffix(scanned);
  Object.assign(document.components!.schemas!, structuredClone(PROBLEM_SCHEMAS));
  addEventSchemas(document.components!.schemas!);
  document.components!.headers = structuredClone(HEADERS);
  requireAlternatives(document);
  describeRequestBodies(document);
  finishOperations(document, publicOperationsOf(app));
  finishSchemas(document);
  const { openapi, info, servers, security, tags, ...contents } = document;
  return { openapi, info, servers, security, tags, ...contents };
}

/** Leaves out the schemas that no operation uses. */
export function openApiOf(described: OpenAPIObject): OpenAPIObject {
  const { schemas = {}, ...components } = described.components ?? {};
  const used = schemasUsedBy({ ...described, components }, schemas);
  return { ...described, components: { ...components, schemas: used } };
}

function frame(publicUrl?: string): Omit<OpenAPIObject, 'paths'> {
  return (
    new DocumentBuilder()
      .setOpenAPIVersion('3.1.1')
      .setTitle('Parley')
      .setDescription(DESCRIPTION)
      .setVersion(VERSION)
      .setLicense('MIT', 'https://opensource.org/license/mit')
      // The default is relative to the document, so that it is valid under any path of a proxy.
      .addServer(publicUrl ?? '.', 'This server')
      .addBearerAuth({ type: 'http', description: 'The access_token of a login.' }, 'bearer')
      .addSecurityRequirements('bearer')
      .addTag('Accounts', 'Signing up, tokens, and what belongs to a user')
      .addTag('Sessions', 'Where a user is logged in')
      .addTag(
        'Model configurations',
        'The models that answer: any OpenAI-compatible provider, its key stored encrypted',
      )
      .addTag('Conversations', 'Conversations and their messages, and searching them')
      .addTag('Chat', 'Sending messages and following their replies')
      .addTag('Files', 'Images and documents to send with messages')
      .addTag('Administration', 'For administrators: users, invitations, the audit trail and webhooks')
      .addTag('health', 'For load balancers and orchestrators')
      .build()
  );
}

function finishSchemas({ paths, components }: OpenAPIObject): void {
  Object.values(components!.schemas!).forEach(finishSchema);
  JSON.stringify([paths, components!.headers], (key, value: unknown) => {
    if (key === 'schema') finishSchema(value);
    return value;
  });
}
