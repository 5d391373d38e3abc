import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { ProblemError } from '../../../common/errors/errors.js';
import { type Problem, toProblem, toProblemError } from '../../../common/errors/problem.js';
import { logUnexpected } from '../../../common/http/server/problem.filter.js';
import { levelOf } from '../../../common/logging/request-log.js';

export type Acknowledgement = { ok: true; data: unknown } | { ok: false; error: Problem };

const logger = new Logger('Sockets');

/** A refused command in the log: known names only, no text of the client. */
export interface SocketRequest {
  transport: 'socket.io' | 'websocket';
  command?: string;
  user_id?: number;
  session_id?: number;
  conversation_id?: number;
}

/** The acknowledgement of a failed command. Logged with the request id that the client receives. */
export function refusal(error: unknown, request: SocketRequest): { ok: false; error: Problem } {
  const problem = toProblemError(error);
  const requestId = randomUUID();
  const line = { request_id: requestId, ...request, status: problem.getStatus(), code: problem.code };
  logUnexpected(logger, problem, error, requestId);
  const level = levelOf(line.status);
  logger[level === 'info' ? 'log' : level](line, 'Socket command refused');
  return { ok: false, error: { ...toProblem(problem, requestId), ...retryAfterOf(problem) } };
}

/** The seconds of HTTP's `Retry-After`, which sockets cannot send as a header. */
function retryAfterOf({ extras }: ProblemError): { retry_after?: number } {
  const seconds = extras.retryAfterSeconds;
  return seconds === undefined ? {} : { retry_after: Math.ceil(seconds) };
}
