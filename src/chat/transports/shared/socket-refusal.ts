import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { type Problem, toProblem, toProblemError } from '../../../common/errors/problem.js';
import { logUnexpected } from '../../../common/http/server/problem.filter.js';
import { levelOf } from '../../../common/logging/request-log.js';

export type Acknowledgement = { ok: true; data: unknown } | { ok: false; error: Problem };

const logger = new Logger('Sockets');

/** What a socket asked for, as the log names it: by names that we know, not by what a client wrote. */
export interface SocketRequest {
  transport: 'socket.io' | 'websocket';
  command?: string;
  user_id?: number;
  session_id?: number;
  conversation_id?: number;
}

/** What a failed command is acknowledged with. It is logged under the request id that its client gets. */
export function refusal(error: unknown, request: SocketRequest): { ok: false; error: Problem } {
  const problem = toProblemError(error);
  const requestId = randomUUID();
  const line = { request_id: requestId, ...request, status: problem.getStatus(), code: problem.code };
  logUnexpected(logger, problem, error, requestId);
  const level = levelOf(line.status);
  logger[level === 'info' ? 'log' : level](line, 'Socket command refused');
  return { ok: false, error: toProblem(problem, requestId) };
}
