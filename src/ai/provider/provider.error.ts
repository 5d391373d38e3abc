export type ProviderErrorCode =
  | 'upstream_auth'
  | 'upstream_rate_limited'
  | 'upstream_timeout'
  | 'upstream_unreachable'
  | 'upstream_bad_response'
  | 'upstream_error'
  | 'upstream_empty'
  | 'content_filtered';

export interface ProviderErrorOptions extends ErrorOptions {
  /** From the provider's `Retry-After`. */
  retryAfterSeconds?: number;
  /** The HTTP status, or its equivalent in a body with status 200. */
  status?: number;
  /** Whether another attempt may succeed, regardless of the code. */
  retryable?: boolean;
  /** The parameters that the provider names, then its whole message, without secrets. */
  fullText?: string;
}

/** A failure of a model provider. `detail` has no secrets and may be shown to the user. */
export class ProviderError extends Error {
  readonly retryAfterSeconds?: number;
  readonly status?: number;
  readonly retryable: boolean;
  readonly fullText: string;

  /** @param detail the provider's own sentence if it sent one, of about 500 characters at most */
  constructor(
    readonly code: ProviderErrorCode,
    readonly detail: string,
    { retryAfterSeconds, status, retryable, fullText, ...options }: ProviderErrorOptions = {},
  ) {
    super(detail, options);
    this.name = 'ProviderError';
    this.retryAfterSeconds = retryAfterSeconds;
    this.status = status;
    this.retryable = retryable ?? false;
    this.fullText = fullText ?? detail;
  }
}

/** A model URL whose text is not acceptable; `message` says why. */
export class ModelUrlError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'ModelUrlError';
  }
}
