import argon2 from 'argon2';
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { UnavailableError } from '../../common/errors/errors.js';
import { QueueFullError, WorkQueue } from '../../common/async/work-queue.js';

/** OWASP's Password Storage Cheat Sheet: Argon2id with 19 MiB, 2 passes, 1 lane. */
export const ARGON2_PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Leaves one core and two of libuv's four threads to other work. Each hash takes 19 MiB. */
const MAX_CONCURRENT_HASHES = Math.min(2, Math.max(1, availableParallelism() - 1));
const MAX_QUEUED_HASHES = 100;

export type Argon2Parameters = typeof ARGON2_PARAMETERS;

/** Hashes passwords with Argon2id, after NFKC normalization, so that composition makes no difference. */
export class PasswordService {
  private readonly queue = new WorkQueue(MAX_CONCURRENT_HASHES, MAX_QUEUED_HASHES);
  private readonly dummyHash: string;

  constructor(private readonly parameters: Argon2Parameters) {
    this.dummyHash = makeDummyHash(parameters);
  }

  /**
   * @returns a hash in PHC string format
   * @throws {UnavailableError} when too many passwords wait to be hashed
   */
  hash(password: string): Promise<string> {
    const options = { ...this.parameters, type: argon2.argon2id };
    return this.enqueue(() => argon2.hash(password.normalize('NFKC'), options));
  }

  /**
   * Verifies a dummy hash for an unknown user, so that the time does not reveal which users exist.
   * @param hash undefined if there is no such user
   * @throws {UnavailableError} when too many passwords wait to be hashed
   */
  verify(hash: string | undefined, password: string): Promise<boolean> {
    return this.enqueue(() => argon2.verify(hash ?? this.dummyHash, password.normalize('NFKC')));
  }

  /** Whether a hash was made with other parameters than the current ones. */
  isOutdated(hash: string): boolean {
    return argon2.needsRehash(hash, this.parameters);
  }

  private async enqueue<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.queue.run(work);
    } catch (error) {
      if (!(error instanceof QueueFullError)) throw error;
      throw new UnavailableError('unavailable', 'Too many passwords are being checked; try again shortly.');
    }
  }
}

/** Makes a hash of random bytes with the current parameters. No known password matches it. */
function makeDummyHash({ memoryCost, timeCost, parallelism }: Argon2Parameters): string {
  const base64 = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${base64(16)}$${base64(32)}`;
}
