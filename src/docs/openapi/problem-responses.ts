import type { OpenAPIObject, OperationObject, ResponseObject, SchemaObject } from '@nestjs/swagger';
import { STATUS_CODES } from 'node:http';
import { PROBLEMS_EXTENSION, ProblemResponse } from '../../common/errors/api-problems.decorator.js';
import { isProbe } from '../../common/http/probes.js';
import type { Schema } from './examples.js';
import { PROBLEM_CODES } from './problem-codes.js';

/** An operation with the extension of `@ApiProblems`. */
type Annotated = OperationObject & { [PROBLEMS_EXTENSION]?: ProblemResponse[] };

interface Route {
  path: string;
  method: string;
  isPublic: boolean;
}

/** Adds the problems of `@ApiProblems` and the general ones as responses: `NotFound`, `SendMessageConflict`. */
export function addProblemResponses(document: OpenAPIObject, route: Route, operation: Annotated): void {
  const own = [
    ...(operation[PROBLEMS_EXTENSION] ?? []),
    ...problemsIf(route.path.startsWith('/admin/'), '403 admin_only'),
  ];
  delete operation[PROBLEMS_EXTENSION];
  const components = (document.components!.responses ??= {});
  for (const [status, codes] of byStatus([...own, ...generalProblems(route, operation)])) {
    const isGeneral = !own.some((problem) => problem.startsWith(`${status} `));
    const name = isGeneral ? phraseOf(status) : capitalize(operation.operationId!) + phraseOf(status);
    components[name] ??= problemResponse(status, codes);
    operation.responses[status] = { $ref: `#/components/responses/${name}` };
  }
}

/** Health probes have no HTTPS requirement, limits or token. */
function generalProblems({ path, method, isPublic }: Route, operation: OperationObject): ProblemResponse[] {
  if (isProbe(path)) return ['500 internal_error'];
  return [
    ...problemsIf(!isPublic, '401 unauthenticated', '401 token_expired', '401 token_revoked'),
    // Also for operations without a body, because a malformed one is refused.
    ...problemsIf(
      method !== 'get',
      '400 bad_request',
      '413 body_too_large',
      '415 unsupported_media_type',
      '422 validation_failed',
    ),
    ...problemsIf(hasQuery(operation), '422 validation_failed'),
    ...problemsIf(path.includes('{'), '404 not_found'),
    ...problemsIf(
      true,
      '403 https_required',
      '429 rate_limited',
      '500 internal_error',
      '503 database_unavailable',
    ),
  ];
}

function problemsIf(condition: boolean, ...answers: ProblemResponse[]): ProblemResponse[] {
  return condition ? answers : [];
}

function hasQuery(operation: OperationObject): boolean {
  return (operation.parameters ?? []).some((parameter) => 'in' in parameter && parameter.in === 'query');
}

function byStatus(answers: ProblemResponse[]): Map<number, string[]> {
  const groups = new Map<number, Set<string>>();
  for (const answer of answers) {
    const [status, code] = answer.split(' ') as [string, string];
    if (!PROBLEM_CODES[code])
      throw new Error(`The problem code "${code}" is not in docs/openapi/problem-codes.ts.`);
    groups.set(Number(status), (groups.get(Number(status)) ?? new Set()).add(code));
  }
  return new Map([...groups].map(([status, codes]) => [status, [...codes].sort()]));
}

function problemResponse(status: number, codes: string[]): ResponseObject {
  const examples = codes.map((code) => [
    code,
    { summary: meaningOf(code), value: exampleProblem(status, code) },
  ]);
  return {
    description: codes.map((code) => `\`${code}\`: ${meaningOf(code)}`).join('\n\n'),
    headers: Object.fromEntries(
      headerNames(status).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
    ),
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(examples),
      },
    },
  };
}

function headerNames(status: number): string[] {
  if (status === 401) return ['X-Request-Id', 'WWW-Authenticate'];
  if (status === 429)
    return ['X-Request-Id', 'Retry-After', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'];
  return status === 503 ? ['X-Request-Id', 'Retry-After'] : ['X-Request-Id'];
}

/** The status phrase as a name: `TooManyRequests`. */
const phraseOf = (status: number) => STATUS_CODES[status]!.replaceAll(' ', '');

const capitalize = (name: string) => name[0]!.toUpperCase() + name.slice(1);

const meaningOf = (code: string) => PROBLEM_CODES[code]!.meaning;

function exampleProblem(status: number, code: string): Record<string, unknown> {
  const { detail, members } = PROBLEM_CODES[code]!;
  return {
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    detail,
    instance: '/conversations/3',
    code,
    request_id: 'c3f0cf5e-2f0c-4d4a-8a51-6f1f9a1e2b77',
    ...members,
  };
}

const CODE: Schema = {
  type: 'string',
  description: `What went wrong, for programs. A code never changes its meaning; clients accept unknown ones.\n\n${codeList()}`,
  'x-extensible-enum': Object.keys(PROBLEM_CODES),
  example: 'not_found',
};

/** RFC 9457 problems, with Parley's additional members. */
export const PROBLEM_SCHEMAS: Record<string, SchemaObject> = {
  FieldError: {
    type: 'object',
    description: 'What is wrong with one field of a request.',
    required: ['field', 'message'],
    properties: {
      field: { type: 'string', description: 'Its path, as it was sent.', example: 'params.temperature' },
      message: { type: 'string', description: 'A sentence for people.', example: 'Must be a number.' },
    },
  },
  Problem: {
    type: 'object',
    description: 'A failure (RFC 9457). Some codes have members of their own beside these.',
    required: ['type', 'title', 'status', 'detail', 'code'],
    properties: {
      type: { type: 'string', format: 'uri-reference', example: 'about:blank' },
      title: { type: 'string', description: "The status's own phrase.", example: 'Not Found' },
      status: { type: 'integer', format: 'int32', description: 'The HTTP status.', example: 404 },
      detail: {
        type: 'string',
        description: 'A sentence for people.',
        example: PROBLEM_CODES.not_found!.detail,
      },
      instance: { type: 'string', description: 'The path that was asked for.', example: '/conversations/3' },
      code: CODE,
      request_id: {
        type: 'string',
        description: "The id of the request, on the server's log line too.",
        example: 'c3f0cf5e-2f0c-4d4a-8a51-6f1f9a1e2b77',
      },
      errors: {
        type: 'array',
        description: 'With `validation_failed`: each bad field.',
        items: { $ref: '#/components/schemas/FieldError' },
      },
      retry_after: {
        type: 'integer',
        format: 'int32',
        description:
          'On sockets: seconds to wait before trying again, as in the header `Retry-After` of HTTP.',
      },
      assistant_message_id: {
        type: 'integer',
        description: 'With `reply_in_progress`: the reply that runs.',
      },
      user_message: {
        description: 'With a failed reply: the message that it answers, which is kept.',
        allOf: [{ $ref: '#/components/schemas/Message' }],
      },
      assistant_message: {
        description: 'With a failed reply: the reply, with its text so far.',
        allOf: [{ $ref: '#/components/schemas/Message' }],
      },
    },
    example: exampleProblem(404, 'not_found'),
  },
};

function codeList(): string {
  return Object.entries(PROBLEM_CODES)
    .map(([code, { meaning }]) => `- \`${code}\`: ${meaning}`)
    .join('\n');
}
