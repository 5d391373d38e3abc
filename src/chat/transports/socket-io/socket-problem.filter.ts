import {
  ArgumentsHost,
  CallHandler,
  Catch,
  ExecutionContext,
  Injectable,
  NestInterceptor,
} from '@nestjs/common';
import type { WsExceptionFilter } from '@nestjs/common';
import { map, Observable } from 'rxjs';
import { type Acknowledgement, refusal } from '../shared/socket-refusal.js';
import type { ChatSocket } from './chat-socket.js';

/** Wraps the result of a gateway's handler in an acknowledgement. */
@Injectable()
export class AcknowledgeInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<Acknowledgement> {
    return next.handle().pipe(map((data: unknown) => ({ ok: true, data })));
  }
}

/** Acknowledges an error; without an acknowledgement callback, emits `exception`. */
export function refuse(socket: ChatSocket, acknowledge: unknown, error: unknown, command?: string): void {
  const { userId, claims } = socket.data;
  const request = { transport: 'socket.io', command, user_id: userId, session_id: claims.sessionId } as const;
  const answer = refusal(error, request);
  if (typeof acknowledge === 'function') acknowledge(answer);
  else socket.emit('exception', answer);
}

/** Acknowledges an error of a gateway's handler with its problem. */
@Catch()
export class SocketProblemFilter implements WsExceptionFilter {
  catch(exception: unknown, host: ArgumentsHost): void {
    // Nest calls a gateway's handler with the socket, the data, the acknowledgement and the event's name.
    const [socket, , acknowledge, command] = host.getArgs<[ChatSocket, unknown, unknown, string]>();
    refuse(socket, acknowledge, exception, command);
  }
}
