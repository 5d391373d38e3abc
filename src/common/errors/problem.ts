import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import { isDatabaseUnavailable } from './database-errors.js';
import { FieldError, ProblemError, UnavailableError } from './errors.js';

/** RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance?: string;
  code: string;
  request_id?: string;
  errors?: FieldError[];
  [member: string]: unknown;
}

const CODES: Record<number, string> = {
  400: 'bad_request',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  406: 'not_acceptable',
  413: 'body_too_large',
  415: 'unsupported_media_type',
  422: 'validation_failed',
  429: 'rate_limited',
  503: 'unavailable',
};

/** Converts any error to one that may be sent to a client. Unexpected errors reveal nothing of their cause. */
export function toProblemError(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (isDatabaseUnavailable(error)) {
    return new UnavailableError('database_unavailable', 'The database is unavailable; try again shortly.');
  }
  const status = error instanceof HttpException ? error.getStatus() : statusOf(error);
  return new ProblemError(status, CODES[status] ?? 'internal_error', detailOf(error, status));
}

export function toProblem(error: ProblemError, requestId?: string, instance?: string): Problem {
  const status = error.getStatus();
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: error.detail,
    instance,
    code: error.code,
    request_id: requestId,
    errors: error.extras.errors,
    ...error.extras.members,
  };
}

/** Express middleware throws http-errors, with a client status and `expose`. */
function statusOf(error: unknown): number {
  const { status, expose } = error as { status?: number; expose?: boolean };
  return expose && status && status >= 400 && status < 500 ? status : 500;
}

const DETAILS: Record<number, string> = {
  400: 'The request could not be read; is the body well-formed JSON?',
  404: 'There is nothing at this address.',
  413: 'The body is too large.',
  415: 'The body must be JSON in UTF-8 (Content-Type: application/json).',
};

function detailOf(error: unknown, status: number): string {
  if (status >= 500) return 'Something went wrong on our side.';
  return DETAILS[status] ?? (error as Error).message;
}
