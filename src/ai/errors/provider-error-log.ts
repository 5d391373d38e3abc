import { Logger } from '@nestjs/common';
import type { ProviderError } from '../provider/provider.error.js';

const logger = new Logger('Providers');

/** The failed task, by ids only: messages may contain a user's text or a key. */
export interface ProviderTask {
  task: 'reply' | 'title' | 'test' | 'models';
  user_id: number;
  config_id?: number | null;
  conversation_id?: number;
  message_id?: number;
}

type LoggedError = Pick<ProviderError, 'code' | 'status'>;

/** Called before a request is repeated. */
export type OnRetry = (error: ProviderError, delaySeconds: number) => void;

/** Logs an error that ends its task. */
export function logProviderError(task: ProviderTask, { code, status }: LoggedError): void {
  logger.warn({ ...task, code, upstream_status: status }, 'Provider failed');
}

/** Logs an error after which the request is repeated. */
export function logRetries(task: ProviderTask): OnRetry {
  return ({ code, status }, delaySeconds) => {
    const retry = { upstream_status: status, retry_in_ms: Math.round(delaySeconds * 1000) };
    logger.warn({ ...task, code, ...retry }, 'Provider failed and is asked again');
  };
}
