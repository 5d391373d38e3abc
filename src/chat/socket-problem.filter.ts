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
import type { Socket } from 'socket.io';
import { logUnexpected } from '../common/problem.filter.js';
import { Problem, toProblem, toProblemError } from '../common/problem.js';

export type Acknowledgement = { ok: true; data: unknown } | { ok: false; error: Problem };

const logger = new Logger('Sockets');

/** What a failed command is acknowledged with; an unexpected failure is logged for the operator. */
export function refusal(error: unknown, socketId: string): Acknowledgement {
  const problem = toProblemError(error);
  logUnexpected(logger, problem, error, socketId);
  return { ok: false, error: toProblem(problem, socketId) };
}

/** Acknowledges what a gateway's handler answers. */
@Injectable()
export class AcknowledgeInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<Acknowledgement> {
    return next.handle().pipe(map((data: unknown) => ({ ok: true, data })));
  }
}

/** A client that asked for no acknowledgement gets an `exception` event. */
export function refuse(socket: Socket, acknowledge: unknown, error: unknown): void {
  const answer = refusal(error, socket.id);
  if (typeof acknowledge === 'function') acknowledge(answer);
  else socket.emit('exception', answer);
}

/** Acknowledges a failure with its problem. */
@Catch()
export class SocketProblemFilter implements WsExceptionFilter {
  catch(exception: unknown, host: ArgumentsHost): void {
    // What Nest calls a gateway's handler with: the socket, the data, the acknowledgement, the event's name.
    const [socket, , acknowledge] = host.getArgs<[Socket, unknown, unknown]>();
    refuse(socket, acknowledge, exception);
  }
}
