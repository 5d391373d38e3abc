import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { Response } from 'express';

const CODES: Record<number, string> = {
  400: 'invalid_request',
  401: 'invalid_api_key',
  404: 'model_not_found',
  429: 'rate_limit_exceeded',
};

/** Sends errors in OpenAI's format, which its clients parse. */
@Catch(HttpException)
export class OpenAiErrorFilter implements ExceptionFilter<HttpException> {
  catch(error: HttpException, host: ArgumentsHost): void {
    const status = error.getStatus();
    host
      .switchToHttp()
      .getResponse<Response>()
      .status(status)
      .json({
        error: {
          message: error.message,
          type: status < 500 ? 'invalid_request_error' : 'server_error',
          code: CODES[status] ?? null,
        },
      });
  }
}
