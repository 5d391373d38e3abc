import { Logger } from '@nestjs/common';
import type { ProviderError } from '../provider/provider.error.js';

const logger = new Logger('Providers');

/** The work that a provider failed, by its ids: a provider's words may be a user's, or hold a key. */
export interface ProviderTask {
  task: 'reply' | 'title' | 'test' | 'models';
  user_id: number;
  config_id?: number | null;
  conversation_id?: number;
  message_id?: number;
}

type LoggedError = Pick<ProviderError, 'code' | 'status'>;

/** Called before a provider is asked again. */
export type OnRetry = (fault: ProviderError, delaySeconds: number) => void;

/** One line for each fault of a provider that ends its work. */
export function logProviderError(task: ProviderTask, { code, status }: LoggedError): void {
  logger.warn({ ...task, code, upstream_status: status }, 'Provider failed');
}

/** One line for each fault after which the provider is asked again. */
export function logRetries(task: ProviderTask): OnRetry {
  return ({ code, status }, delaySeconds) => {
    const retry = { upstream_status: status, retry_in_ms: Math.round(delaySeconds * 1000) };
    logger.warn({ ...task, code, ...retry }, 'Provider failed and is asked again');
  };
}
