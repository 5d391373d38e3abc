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
