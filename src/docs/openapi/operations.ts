import type { INestApplication, Type } from '@nestjs/common';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import {
  type ContentObject,
  DECORATORS,
  type OpenAPIObject,
  type OperationObject,
  type ParameterObject,
} from '@nestjs/swagger';
import { STATUS_CODES } from 'node:http';
import { IS_PUBLIC } from '../../auth/public.decorator.js';
import { isProbe } from '../../common/http/probes.js';
import { exampleOf, type Schemas } from './examples.js';
import { addProblemResponses } from './problem-responses.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
const LIMIT_HEADERS = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'];

/** Adds the common parts to every operation: security, problems, headers and examples. */
export function finishOperations(document: OpenAPIObject, publicOperations: Set<string>): void {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      const isPublic = publicOperations.has(operation.operationId ?? '');
      if (isPublic && !operation.security?.some(isEmpty)) operation.security = [];
      describeParameters(path, operation);
      addProblemResponses(document, { path, method, isPublic }, operation);
      describeResponses(path, operation);
      addStreamExamples(operation);
      addExamples(document, operation);
    }
  }
}

/** Operation ids of the routes marked `@Public()`. */
export function publicOperationsOf(app: INestApplication): Set<string> {
  const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [
    ...module.controllers.values(),
  ]);
  const ids = controllers.flatMap(({ metatype }) => (metatype ? publicOperationsIn(metatype as Type) : []));
  return new Set(ids);
}

function publicOperationsIn(controller: Type): string[] {
  const prototype = controller.prototype as Record<string, object>;
  return new MetadataScanner()
    .getAllMethodNames(prototype)
    .filter((name) => isPublic(prototype[name]!) || isPublic(controller))
    .map((name) => {
      const documented = Reflect.getMetadata(DECORATORS.API_OPERATION, prototype[name]!) as
        OperationObject | undefined;
      return documented?.operationId ?? name;
    });
}

/** An alternative to the access token, by a parameter for instance. */
const isEmpty = (requirement: object) => Object.keys(requirement).length === 0;

const isPublic = (target: object) => Reflect.getMetadata(IS_PUBLIC, target) === true;

/** Documents ids in paths; anything but a positive integer is answered with 404. */
function describeParameters(path: string, operation: OperationObject): void {
  for (const parameter of (operation.parameters ?? []) as ParameterObject[]) {
    if (parameter.in !== 'path') continue;
    parameter.description ||= describeId(path, parameter.name);
    parameter.schema = { type: 'integer', minimum: 1 };
    parameter.example ??= exampleId(path, parameter.name);
  }
}

const RESOURCES: readonly [prefix: string, name: string][] = [
  ['/conversations/', 'conversation'],
  ['/auth/config/', 'model configuration'],
  ['/files/', 'file'],
  ['/auth/sessions/', 'session'],
  ['/auth/identities/', 'identity'],
  ['/admin/users/', 'user'],
  ['/admin/webhooks/', 'webhook delivery'],
  ['/admin/invitations/', 'invitation'],
  ['/admin/configs/', 'shared model configuration'],
];

function describeId(path: string, parameter: string): string {
  if (parameter === 'message_id') return 'The id of a message in the conversation.';
  const resource = RESOURCES.find(([prefix]) => path.startsWith(prefix));
  if (!resource) throw new Error(`The parameter "${parameter}" of ${path} has no description.`);
  return `The ${resource[1]}'s id.`;
}

/** Uses the ids of the DTOs' examples. */
function exampleId(path: string, name: string): number {
  if (name === 'message_id') return 12;
  return path.startsWith('/conversations/') ? 3 : 1;
}

function describeResponses(path: string, operation: OperationObject): void {
  const names = ['X-Request-Id', ...(isProbe(path) ? [] : LIMIT_HEADERS)];
  const references = names.map((name) => [name, { $ref: `#/components/headers/${name}` }]);
  for (const [status, response] of Object.entries(operation.responses)) {
    if (!response || '$ref' in response) continue;
    response.description ||= STATUS_CODES[status] ?? 'The answer';
    response.headers = { ...Object.fromEntries(references), ...response.headers };
  }
}

const EVENT_STREAM_EXAMPLE = [
  'id: 12.1.10.0',
  'event: message.delta',
  'data: {"type":"message.delta","conversation_id":3,"message_id":12,"part":"content","offset":0,"text":"A monad is"}',
  '',
  '',
].join('\n');

function addStreamExamples(operation: OperationObject): void {
  for (const response of Object.values(operation.responses)) {
    const stream = response && 'content' in response ? response.content?.['text/event-stream'] : undefined;
    if (stream) stream.example = EVENT_STREAM_EXAMPLE;
  }
}

function addExamples(document: OpenAPIObject, operation: OperationObject): void {
  const schemas = document.components?.schemas ?? {};
  const responses = Object.values(operation.responses).filter(
    (response) => response && !('$ref' in response),
  );
  for (const holder of [operation.requestBody, ...responses]) {
    if (holder && 'content' in holder && holder.content) fillContent(holder.content, schemas);
  }
  for (const parameter of (operation.parameters ?? []) as ParameterObject[]) {
    // Swagger UI fills in the examples of optional parameters.
    if (parameter.required && parameter.schema) parameter.example ??= exampleOf(parameter.schema, schemas);
  }
}

function fillContent(content: ContentObject, schemas: Schemas): void {
  for (const media of Object.values(content)) {
    if (media.schema && !media.examples) media.example ??= exampleOf(media.schema, schemas);
  }
}
