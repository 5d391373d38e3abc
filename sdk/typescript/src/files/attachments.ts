import { Store } from '../store.js';
import type { Attachable, Files } from './files.js';
import type { Upload } from './upload.js';

export interface AttachmentsSnapshot {
  /** In the order of the message. */
  readonly uploads: readonly Upload[];
  /** `failed` while one of them has failed, else `uploading` until all are done. */
  readonly status: 'empty' | 'uploading' | 'ready' | 'failed';
}

const EMPTY: AttachmentsSnapshot = { uploads: [], status: 'empty' };

/** Files that are chosen for a message, uploaded while it is written. */
export class Attachments extends Store<AttachmentsSnapshot> {
  private readonly endings = new Map<Upload, () => void>();

  /** @internal Use `parley.files.attachments`. */
  constructor(private readonly files: Files) {
    super(EMPTY);
  }

  /** Uploads files and appends them. */
  add(...inputs: Attachable[]): Upload[] {
    const added = inputs.map((input) => this.files.upload(input));
    for (const upload of added)
      this.endings.set(
        upload,
        upload.subscribe(() => this.update()),
      );
    this.update();
    return added;
  }

  /** Removes a file, and aborts its upload; a file that was uploaded for this is deleted unless `send` has taken it. */
  remove(upload: Upload): void {
    this.forget(upload);
    this.files.discard(upload);
    this.update();
  }

  /** Removes all files, for `send(text, { files: attachments.take() })`; their uploads go on. */
  take(): Upload[] {
    const taken = [...this.endings.keys()];
    taken.forEach((upload) => this.forget(upload));
    this.update();
    return taken;
  }

  private forget(upload: Upload): void {
    this.endings.get(upload)?.();
    this.endings.delete(upload);
  }

  private update(): void {
    const uploads = [...this.endings.keys()];
    const before = this.getSnapshot();
    const status = statusOf(uploads);
    const isSame =
      uploads.length === before.uploads.length && uploads.every((each, n) => each === before.uploads[n]);
    if (!isSame || status !== before.status) this.set({ uploads, status });
  }
}

function statusOf(uploads: readonly Upload[]): AttachmentsSnapshot['status'] {
  const states = uploads.map((upload) => upload.getSnapshot().status);
  if (states.length === 0) return 'empty';
  if (states.includes('failed')) return 'failed';
  return states.includes('uploading') ? 'uploading' : 'ready';
}
