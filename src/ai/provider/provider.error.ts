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
  /** What the provider's `Retry-After` said. */
  retryAfterSeconds?: number;
  /** The HTTP status, or the code in a body with status 200 that stands for one. */
  status?: number;
  /** Whether another try may help, whatever the code. */
  retryable?: boolean;
  /** Names of the parameters that the provider complains of, then all its words, without secrets. */
  fullText?: string;
}

/** A model provider failed us. Safe to show to its user: `detail` has no secret in it. */
export class ProviderError extends Error {
  readonly retryAfterSeconds?: number;
  readonly status?: number;
  readonly retryable: boolean;
  readonly fullText: string;

  /** @param detail A sentence for people of at most about 500 characters: the provider's own, where it gave one. */
  constructor(
    readonly code: ProviderErrorCode,
    readonly detail: string,
    {
      retryAfterSeconds,
      status,
      retryable: isPassing,
      fullText: words,
      ...options
    }: ProviderErrorOptions = {},
  ) {
    super(detail, options);
    this.name = 'ProviderError';
    this.retryAfterSeconds = retryAfterSeconds;
    this.status = status;
    this.retryable = isPassing ?? false;
    this.fullText = words ?? detail;
  }
}

/** A model URL that can be seen to be no good from its text alone; `message` names why. */
export class ModelUrlError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'ModelUrlError';
  }
}
