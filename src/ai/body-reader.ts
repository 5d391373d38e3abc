import type { Readable } from 'node:stream';

/** More than this, waiting to be read, is left with the provider. */
const MAX_WAITING_BYTES = 256 * 1024;

/**
 * Reads a body for one reader. What waits together comes together, and an error comes after all that came before it:
 * streams of their own accord drop what is still waiting then.
 */
export class BodyReader {
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private ended = false;
  private failure?: Error;
  private wake = () => {};

  constructor(private readonly body: Readable) {
    body.on('data', (chunk: Buffer) => this.keep(chunk));
    body.on('end', () => this.finish());
    body.on('error', (error) => this.finish(error));
    body.on('close', () => this.finish(new Error('The body was closed')));
  }

  /** The next bytes, undefined at the end. Throws what broke the body off. */
  async read(): Promise<Buffer | undefined> {
    if (this.waiting.length === 0 && !this.ended) await new Promise<void>((resolve) => (this.wake = resolve));
    if (this.waiting.length > 0) return this.take();
    if (this.failure) throw this.failure;
    return undefined;
  }

  private keep(chunk: Buffer): void {
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
    if (this.waitingBytes >= MAX_WAITING_BYTES) this.body.pause();
    this.wake();
  }

  private take(): Buffer {
    const chunks = this.waiting;
    this.waiting = [];
    this.waitingBytes = 0;
    if (this.body.isPaused()) this.body.resume();
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  }

  private finish(failure?: Error): void {
    if (!this.ended) this.failure = failure;
    this.ended = true;
    this.wake();
  }
}
