import { ArgumentsHost, Catch, ExceptionFilter, Logger } from '@nestjs/common';
import type { Request, Response } from 'express';
import { closeIfBodyUnread } from './closing.js';
import { ProblemError } from '../../errors/errors.js';
import { isLarge, jsonPieces, yieldBetweenPieces } from '../../json/json-pieces.js';
import { toProblem, toProblemError } from '../../errors/problem.js';
import { sendPieces } from './send-pieces.js';

/** Sends every HTTP error as RFC 9457 `application/problem+json`. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Problem');

  catch(exception: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const error = toProblemError(exception);
    const requestId = String(response.getHeader('X-Request-Id') ?? '');
    logUnexpected(this.logger, error, exception, requestId);
    if (response.headersSent) {
      if (!response.writableEnded) response.destroy();
      return;
    }
    sendProblem(response, error, requestId, request.path);
  }
}

function sendProblem(response: Response, error: ProblemError, requestId: string, instance: string): void {
  const { headers, retryAfterSeconds } = error.extras;
  if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', Math.ceil(retryAfterSeconds));
  closeIfBodyUnread(response.req, response);
  response
    .set(headers ?? {})
    .status(error.getStatus())
    .type('application/problem+json');
  const problem = toProblem(error, requestId, instance);
  // The problem of a failed reply contains messages.
  if (isLarge(problem))
    void sendPieces(response, yieldBetweenPieces(jsonPieces(problem))).catch(() => response.destroy());
  else response.send(JSON.stringify(problem));
}

/** Logs the cause of a 500, without the parameters of a query, which may be a user's text. */
export function logUnexpected(logger: Logger, error: ProblemError, cause: unknown, requestId: string): void {
  if (error.getStatus() !== 500) return;
  const { name, message, stack } = cause instanceof Error ? cause : new Error(String(cause));
  logger.error({ request_id: requestId, error: { name, message, stack } }, 'Unexpected error');
}
