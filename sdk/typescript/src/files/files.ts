import { ParleyError } from '../error.js';
import type { PostFile } from '../http/file-upload.js';
import { Retries } from '../http/retries.js';
import { withTimeout } from '../http/timeout.js';
import type { Connection } from '../live/connection.js';
import type { Rest, StoredFile } from '../rest/index.js';
import { Attachments } from './attachments.js';
import { type FileInput, type FileSource, sourceOf } from './file-input.js';
import { type Send, Upload, type UploadState } from './upload.js';

/** A file for a message: bytes, an upload, or a stored file, also by its id. */
export type Attachable = FileInput | Upload | StoredFile | number;

/** As the server's limit. A server that refuses a body early may break the connection. */
const MAX_BYTES = 20 * 1024 * 1024;
const MAX_AT_ONCE = 3;
/** How long an upload may make no progress, the server's inspection included. */
const STALLED_MS = 60_000;
/** How long an upload may take where progress is unknown. */
const UPLOAD_TIMEOUT_MS = 10 * 60_000;

type Description = Pick<UploadState, 'name' | 'mime_type' | 'bytes'>;

export interface FileServices {
  rest: Rest;
  connection: Connection;
  post: PostFile;
}

/** Uploads files, and makes links to them. */
export class Files {
  private readonly running = new Set<Upload>();
  /** Uploads of bytes, until a message has them. */
  private readonly unused = new WeakSet<Upload>();
  /** Ids of stored files that messages have. */
  private readonly used = new Set<number>();
  private readonly queue: (() => void)[] = [];
  private active = 0;

  /** @internal Use `parley.files`. */
  constructor(
    private readonly baseUrl: string,
    private readonly services: FileServices,
  ) {}

  /**
   * Uploads a file, repeated until the server has it or refuses it; three at once. A file that no message uses is
   * removed after 24 hours.
   */
  upload(input: Attachable): Upload {
    if (input instanceof Upload) return input;
    if (typeof input === 'number') return this.find(input);
    if ('sha256' in input) return this.start(input, null, () => Promise.resolve(input));
    const source = sourceOf(input);
    const upload = this.start({ ...source, mime_type: source.type }, source.blob, this.sender(source));
    this.unused.add(upload);
    return upload;
  }

  /** @internal Uploads the files of a message. */
  uploadAll(inputs: readonly Attachable[]): Upload[] {
    return inputs.map((input) => {
      const upload = this.upload(input);
      this.unused.delete(upload);
      if (typeof input === 'number') this.used.add(input);
      else if ('sha256' in input) this.used.add(input.id);
      return upload;
    });
  }

  /** Aborts an upload, and deletes its file unless a message has it. @internal */
  discard(upload: Upload): void {
    upload.abort();
    const id = upload.getSnapshot().file?.id;
    if (id === undefined || !this.unused.delete(upload) || this.used.has(id)) return;
    // After a failure, the server removes the unused file by itself.
    withTimeout((signal) => this.services.rest.deleteFile({ path: { id }, signal })).catch(() => undefined);
  }

  /** Files that are chosen for a message: a store. */
  attachments(): Attachments {
    return new Attachments(this);
  }

  /** The absolute address of a file's content, for elements such as `<img>`; good for an hour. Null once deleted. */
  url({ url }: Pick<StoredFile, 'url'>): string | null {
    return url && this.baseUrl + url;
  }

  /** A new address, for one that has expired. */
  async link(id: number): Promise<string | null> {
    const get = (signal: AbortSignal) => this.services.rest.getFile({ path: { id }, signal });
    return this.url(await withTimeout(get));
  }

  /** @internal */
  abort(error?: ParleyError): void {
    for (const upload of [...this.running]) upload.abort(error);
  }

  private find(id: number): Upload {
    const get = (signal: AbortSignal) => this.services.rest.getFile({ path: { id }, signal });
    const send: Send = (outer) => this.untilAnswered(outer, () => withTimeout(get, undefined, outer));
    return this.start({ name: '', mime_type: '', bytes: null }, null, send);
  }

  private start({ name, mime_type, bytes }: Description, blob: Blob | null, send: Send): Upload {
    const upload: Upload = new Upload({ name, mime_type, bytes }, blob, async (signal, onProgress) => {
      this.running.add(upload);
      try {
        return await send(signal, onProgress);
      } finally {
        this.running.delete(upload);
      }
    });
    upload.start();
    return upload;
  }

  private sender(source: FileSource): Send {
    return async (outer, onProgress) => {
      if ((source.bytes ?? 0) > MAX_BYTES) throw tooLarge();
      return this.inTurn(() =>
        this.untilAnswered(outer, () => {
          onProgress(0);
          return this.post(source, outer, onProgress);
        }),
      );
    };
  }

  private post(source: FileSource, outer: AbortSignal, onProgress: (sent: number) => void) {
    return withTimeout(
      (signal, limit) => {
        const progress = (sent: number) => {
          limit(STALLED_MS);
          onProgress(sent);
        };
        return this.services.post({ body: source.body(), signal, onProgress: progress });
      },
      UPLOAD_TIMEOUT_MS,
      outer,
    );
  }

  private async inTurn<T>(task: () => Promise<T>): Promise<T> {
    if (this.active === MAX_AT_ONCE) await new Promise<void>((resolve) => this.queue.push(resolve));
    else this.active++;
    try {
      return await task();
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.active--;
    }
  }

  private async untilAnswered<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    const retries = new Retries();
    for (;;) {
      if (signal.aborted) throw new ParleyError('aborted', 'The upload was aborted.');
      try {
        return await attempt();
      } catch (error) {
        const ms = retries.nextMs(error);
        if (!signal.aborted) await this.wait(ms, signal);
      }
    }
  }

  /** Ends early when the connection is back. */
  private wait(ms: number, signal: AbortSignal): Promise<void> {
    const { opened, woken } = this.services.connection;
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        endings.forEach((each) => each());
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
      const endings = [opened.on(end), woken.on(end), () => signal.removeEventListener('abort', end)];
    });
  }
}

const tooLarge = () => new ParleyError('body_too_large', 'A file may have at most 20 MiB.', { status: 413 });
