import { HttpException } from '@nestjs/common';

export interface FieldError {
  /** The field's path in the body or query, as the client sent it: `messages.0.content`. */
  field: string;
  message: string;
}

export interface ProblemExtras {
  errors?: FieldError[];
  /** Seconds, sent as the `Retry-After` header. */
  retryAfterSeconds?: number;
  /** Response headers that belong to the failure, such as `WWW-Authenticate`. */
  headers?: Record<string, string>;
  /** Members beside the standard ones (RFC 9457 section 3.2). */
  members?: Record<string, unknown>;
}

/**
 * An expected failure, sent as RFC 9457 `application/problem+json`. `code` is stable, for programs; `detail` is a
 * sentence for people.
 */
export class ProblemError extends HttpException {
  constructor(
    status: number,
    readonly code: string,
    readonly detail: string,
    readonly extras: ProblemExtras = {},
  ) {
    super(detail, status);
  }
}

/** Also used for another user's records, whose existence is not revealed. */
export class NotFoundError extends ProblemError {
  constructor(thing = 'resource') {
    super(404, 'not_found', `There is no such ${thing}.`);
  }
}

export class ValidationFailedError extends ProblemError {
  constructor(errors: FieldError[]) {
    const names = [...new Set(errors.map((error) => error.field))].join(', ');
    super(422, 'validation_failed', `The request has bad fields: ${names}.`, { errors });
  }
}

export const invalidField = (field: string, message: string) =>
  new ValidationFailedError([{ field, message }]);

export class ConflictError extends ProblemError {
  constructor(code: string, detail: string, members?: Record<string, unknown>) {
    super(409, code, detail, { members });
  }
}

export class UnavailableError extends ProblemError {
  constructor(code: string, detail: string, retryAfterSeconds = 5) {
    super(503, code, detail, { retryAfterSeconds });
  }
}

export class RateLimitedError extends ProblemError {
  constructor(
    retryAfterSeconds: number,
    detail = 'Too many requests.',
    headers: Record<string, string> = {},
  ) {
    super(429, 'rate_limited', detail, { retryAfterSeconds, headers });
  }
}

type AuthenticationFailure =
  | 'unauthenticated'
  | 'token_expired'
  | 'token_revoked'
  | 'token_reused'
  | 'second_factor_required'
  | 'wrong_code'
  | 'invalid_id_token';

/** `WWW-Authenticate` of RFC 6750 section 3: `invalid_token` only if a token was sent. */
export class UnauthenticatedError extends ProblemError {
  constructor(code: AuthenticationFailure, detail: string, tokenSent = true) {
    const challenge = tokenSent
      ? `Bearer realm="parley", error="invalid_token", error_description="${detail}"`
      : 'Bearer realm="parley"';
    super(401, code, detail, { headers: { 'WWW-Authenticate': challenge } });
  }
}
