import type { FieldError, Problem } from './rest/types.gen.js';

export interface ParleyErrorFields {
  status?: number;
  errors?: FieldError[];
  requestId?: string | null;
  retryAfter?: number | null;
  problem?: Problem | null;
  cause?: unknown;
}

/** A failed call. Its message is a sentence for people, the problem's `detail` (RFC 9457). */
export class ParleyError extends Error {
  override readonly name = 'ParleyError';
  /** HTTP status; 0 when no response was received. */
  readonly status: number;
  /** The bad fields of a request with code `validation_failed`. */
  readonly errors: readonly FieldError[];
  /** Identifies the request in the server's log. */
  readonly requestId: string | null;
  /** Seconds to wait before trying again. */
  readonly retryAfter: number | null;
  /** The whole problem, with members of its own such as `assistant_message_id`. */
  readonly problem: Problem | null;

  /** @param code stable, for programs: the server's, or `network_error`, `signed_out`, `unexpected_response` … */
  constructor(
    readonly code: string,
    message: string,
    fields: ParleyErrorFields = {},
  ) {
    super(message, { cause: fields.cause });
    this.status = fields.status ?? 0;
    this.errors = fields.errors ?? [];
    this.requestId = fields.requestId ?? null;
    this.retryAfter = fields.retryAfter ?? null;
    this.problem = fields.problem ?? null;
  }
}

export function isProblem(body: unknown): body is Problem {
  const { code, status } = (body ?? {}) as Partial<Problem>;
  return typeof code === 'string' && typeof status === 'number';
}

/** @param headers of the response that carried the problem */
export function problemError(problem: Problem, headers?: Headers): ParleyError {
  return new ParleyError(problem.code, problem.detail, {
    status: problem.status,
    errors: problem.errors,
    requestId: problem.request_id ?? headers?.get('X-Request-Id'),
    retryAfter: secondsOf(headers?.get('Retry-After')) ?? problem.retry_after ?? null,
    problem,
  });
}

/** @param body parsed JSON or text; anything but a problem comes from a proxy in between */
export function responseError(body: unknown, { status, headers }: Response): ParleyError {
  if (isProblem(body)) return problemError(body, headers);
  return new ParleyError('unexpected_response', `The server answered with status ${status}.`, {
    status,
    retryAfter: secondsOf(headers.get('Retry-After')),
  });
}

export function networkError(cause: unknown): ParleyError {
  return new ParleyError('network_error', 'The server could not be reached.', { cause });
}

function secondsOf(header: string | null | undefined): number | null {
  const seconds = Number(header);
  return header && Number.isFinite(seconds) ? seconds : null;
}
