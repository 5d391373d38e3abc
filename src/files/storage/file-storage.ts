import { Logger } from '@nestjs/common';
import type { Readable } from 'node:stream';
import { UnavailableError } from '../../common/errors/errors.js';
import { publishMeasurement } from '../../common/logging/measurements.js';

/** First and last byte, inclusive. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Where the bytes of files are kept, under random keys; also its injection token. All methods throw
 * `StorageUnavailableError` if the storage fails or does not answer within 10 s.
 */
export abstract class FileStorage {
  /** Stores a local file, completely or not at all. */
  abstract put(key: string, path: string): Promise<void>;
  abstract get(key: string, range?: ByteRange): Promise<Readable>;
  /** Succeeds if there is nothing under the key. */
  abstract delete(key: string): Promise<void>;
  /** Succeeds if the storage is available. */
  abstract probe(): Promise<void>;
  /** Called at the start. @throws {Error} if the storage is misconfigured */
  abstract check(): Promise<void>;
}

export const STORAGE_TIMEOUT_MS = 10_000;

export class StorageUnavailableError extends UnavailableError {
  constructor(cause: unknown) {
    super('storage_unavailable', 'The storage of files is unavailable; try again shortly.');
    this.cause = cause;
  }
}

/** Counts and logs the failure, because its cause is not in the response. */
export function storageFailure(cause: unknown): StorageUnavailableError {
  publishMeasurement('storage.failed', {});
  new Logger('FileStorage').warn({ error: String(cause) }, 'The storage of files failed');
  return new StorageUnavailableError(cause);
}
