import {
  ArgumentsHost,
  CallHandler,
  Catch,
  ExecutionContext,
  Injectable,
  Logger,
  NestInterceptor,
} from '@nestjs/common';
import type { WsExceptionFilter } from '@nestjs/common';
import { map, Observable } from 'rxjs';
import { randomUUID } from 'node:crypto';
import { logUnexpected } from '../../../common/http/problem.filter.js';
import { levelOf } from '../../../common/logging/request-log.js';
import type { ChatSocket } from '../socket-io/socket-io-client.js';
import { Problem, toProblem, toProblemError } from '../../../common/errors/problem.js';

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

/** Acknowledges what a gateway's handler answers. */
@Injectable()
export class AcknowledgeInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<Acknowledgement> {
    return next.handle().pipe(map((data: unknown) => ({ ok: true, data })));
  }
}

/** A client that asked for no acknowledgement gets an `exception` event. */
export function refuse(socket: ChatSocket, acknowledge: unknown, error: unknown, command?: string): void {
  const { userId, claims } = socket.data;
  const request = { transport: 'socket.io', command, user_id: userId, session_id: claims.sessionId } as const;
  const answer = refusal(error, request);
  if (typeof acknowledge === 'function') acknowledge(answer);
  else socket.emit('exception', answer);
}

/** Acknowledges a failure with its problem. */
@Catch()
export class SocketProblemFilter implements WsExceptionFilter {
  catch(exception: unknown, host: ArgumentsHost): void {
    // What Nest calls a gateway's handler with: the socket, the data, the acknowledgement, the event's name.
    const [socket, , acknowledge, command] = host.getArgs<[ChatSocket, unknown, unknown, string]>();
    refuse(socket, acknowledge, exception, command);
  }
}
