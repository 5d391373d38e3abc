import { ParleyError } from '../error.js';
import { uuid } from '../platform/uuid.js';
import { Store } from '../store.js';
import type { StoredFile } from '../rest/types.gen.js';

/** Name, type and size are the sender's until the server has received the file. */
export interface UploadState {
  readonly name: string;
  readonly mime_type: string;
  /** Null while unknown. */
  readonly bytes: number | null;
  readonly status: 'uploading' | 'done' | 'failed';
  /** Bytes sent so far; without XMLHttpRequest, as in Node, 0 until all are. */
  readonly sent: number;
  readonly file: StoredFile | null;
  readonly error: ParleyError | null;
}

/** Sends the file until the server has it. */
export type Send = (signal: AbortSignal, onProgress: (sent: number) => void) => Promise<StoredFile>;

/** One file on its way to the server: a store of its state. */
export class Upload extends Store<UploadState> {
  /** Fit for React's `key`. */
  readonly key = uuid();
  private controller = new AbortController();
  private running!: Promise<StoredFile>;
  private abortError: ParleyError | null = null;

  /** @internal Use `parley.files.upload`. */
  constructor(
    private readonly source: Pick<UploadState, 'name' | 'mime_type' | 'bytes'>,
    /** The bytes, for a preview; null where they are not at hand. */
    readonly blob: Blob | null,
    private readonly send: Send,
  ) {
    super({ ...source, status: 'uploading', sent: 0, file: null, error: null });
  }

  /** The sender's name for the file. */
  get name(): string {
    return this.source.name;
  }

  /** Resolves when the server has the file; rejects with a ParleyError. */
  get done(): Promise<StoredFile> {
    return this.running;
  }

  /** Ends an upload under way, with code `aborted`. */
  abort(error = new ParleyError('aborted', 'The upload was aborted.')): void {
    if (this.getSnapshot().status !== 'uploading') return;
    this.abortError = error;
    this.change({ status: 'failed', error });
    this.controller.abort();
  }

  /** Starts a failed upload again. */
  retry(): void {
    if (this.getSnapshot().status !== 'failed') return;
    this.controller = new AbortController();
    this.change({ status: 'uploading', sent: 0, error: null });
    this.start();
  }

  /** @internal */
  start(): void {
    this.running = this.run(this.controller.signal);
    // The state shows the failure.
    this.running.catch(() => undefined);
  }

  private async run(signal: AbortSignal): Promise<StoredFile> {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(this.abortError!));
    });
    try {
      const sent = this.send(signal, (bytes) => !signal.aborted && this.progress(bytes));
      const file = await Promise.race([sent, aborted]);
      const { name, mime_type, bytes } = file;
      this.change({ name, mime_type, bytes, status: 'done', sent: bytes, file });
      return file;
    } catch (error) {
      if (!signal.aborted) this.change({ status: 'failed', error: error as ParleyError });
      throw error;
    }
  }

  /** @param sent with the multipart frame */
  private progress(sent: number): void {
    this.change({ sent: Math.min(sent, this.getSnapshot().bytes ?? sent) });
  }

  private change(changes: Partial<UploadState>): void {
    this.set({ ...this.getSnapshot(), ...changes });
  }
}
