export type ProviderErrorCode =
  | 'upstream_auth'
  | 'upstream_rate_limited'
  | 'upstream_timeout'
  | 'upstream_unreachable'
  | 'upstream_bad_response'
  | 'upstream_error'
  | 'content_filtered';

export interface ProviderErrorOptions extends ErrorOptions {
  /** What the provider's `Retry-After` said. */
  retryAfterSeconds?: number;
}

/** A model provider failed us. Safe to show to its user: `detail` has no secret in it. */
export class ProviderError extends Error {
  readonly retryAfterSeconds?: number;

  /** @param detail A sentence for people of at most about 500 characters: the provider's own, where it gave one. */
  constructor(
    readonly code: ProviderErrorCode,
    readonly detail: string,
    { retryAfterSeconds, ...options }: ProviderErrorOptions = {},
  ) {
    super(detail, options);
    this.name = 'ProviderError';
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** A model URL that can be seen to be no good from its text alone; `message` names why. */
export class ModelUrlError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'ModelUrlError';
  }
}
