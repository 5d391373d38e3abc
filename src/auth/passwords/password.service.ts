import argon2 from 'argon2';
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { UnavailableError } from '../../common/errors/errors.js';
import { QueueFullError, WorkQueue } from '../../common/async/work-queue.js';

/** OWASP's Password Storage Cheat Sheet: Argon2id with 19 MiB, 2 passes, 1 lane. */
export const ARGON2_PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Each takes a core and 19 MiB for some 25 ms: one core stays for all else, and two of the process's four threads. */
const MAX_CONCURRENT_HASHES = Math.min(2, Math.max(1, availableParallelism() - 1));
/** Some two seconds' worth. */
const MAX_QUEUED_HASHES = 100;

export type Argon2Parameters = typeof ARGON2_PARAMETERS;

/** Argon2id, of any Unicode: the same characters, however a keyboard composes them, are the same password. */
export class PasswordService {
  private readonly queue = new WorkQueue(MAX_CONCURRENT_HASHES, MAX_QUEUED_HASHES);
  private readonly dummyHash: string;

  constructor(private readonly parameters: Argon2Parameters) {
    this.dummyHash = makeDummyHash(parameters);
  }

  /**
   * @returns a hash in PHC string format
   * @throws {UnavailableError} when too many hashings wait
   */
  hash(password: string): Promise<string> {
    const options = { ...this.parameters, type: argon2.argon2id };
    return this.enqueue(() => argon2.hash(password.normalize('NFKC'), options));
  }

  /**
   * Takes as long for a user who does not exist, so that the time does not tell who does.
   * @param hash undefined where there is no such user
   * @throws {UnavailableError} when too many hashings wait
   */
  verify(hash: string | undefined, password: string): Promise<boolean> {
    return this.enqueue(() => argon2.verify(hash ?? this.dummyHash, password.normalize('NFKC')));
  }

  /** Whether a hash was made with other parameters than are used now. */
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

/** A hash with the parameters of a real one, made up, so that no password is known to match it. */
function makeDummyHash({ memoryCost, timeCost, parallelism }: Argon2Parameters): string {
  const base64 = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${base64(16)}$${base64(32)}`;
}
