import { ApiExtension } from '@nestjs/swagger';

/** A status and a stable code: `409 config_limit`. */
export type ProblemResponse = `${number} ${string}`;

/** Extension that carries the list to the builder of the OpenAPI document. */
export const PROBLEMS_EXTENSION = 'x-problems';

/**
 * Documents the problems specific to an operation. General ones (401, 429, 422 with a body, 404 with an id in the path,
 * …) are added automatically. docs/openapi/problem-codes.ts lists all codes.
 */
export const ApiProblems = (...problems: ProblemResponse[]): MethodDecorator =>
  ApiExtension(PROBLEMS_EXTENSION, problems);
