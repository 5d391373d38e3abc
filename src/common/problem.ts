import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
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

/** Node's and mysql2's codes for a database that cannot be reached, that is going away, or that stays locked. */
const DATABASE_AWAY =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN|PROTOCOL_\w+|POOL_CLOSED|ER_SERVER_SHUTDOWN|ER_CON_COUNT_ERROR|ER_QUERY_INTERRUPTED|ER_LOCK_DEADLOCK|ER_LOCK_WAIT_TIMEOUT)$/;

/** Whether an error means that the database is away, rather than that a statement is wrong. */
export function isDatabaseAway(error: unknown): boolean {
  const cause = (error as { driverError?: unknown }).driverError ?? error;
  const { code, message } = cause as { code?: string; message?: string };
  return (
    DATABASE_AWAY.test(code ?? '') ||
    /closed state|Pool is closed|^database (table )?is locked/.test(message ?? '')
  );
}

/** The failure that a client may see. What was not expected says nothing of its cause. */
export function toProblemError(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (isDatabaseAway(error)) {
    return new UnavailableError('database_unavailable', 'The database is away; try again shortly.');
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

/** body-parser and other Express middleware throw http-errors, which carry a client status and `expose`. */
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
