import { ApiExtension } from '@nestjs/swagger';

/** A status and a stable code: `409 config_limit`. */
export type ProblemResponse = `${number} ${string}`;

/** Where the decorator leaves its list for the document's builder, which writes the answers out. */
export const PROBLEMS_EXTENSION = 'x-problems';

/**
 * Documents the failures that are an operation's own. What any operation can answer (401, 429, 422 with a body, 404
 * with an id in the path, …) is added to the document by itself. Every code is listed in docs/problem-codes.ts.
 */
export const ApiProblems = (...problems: ProblemResponse[]): MethodDecorator =>
  ApiExtension(PROBLEMS_EXTENSION, problems);
