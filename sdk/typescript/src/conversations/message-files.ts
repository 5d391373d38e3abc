import type { Upload } from '../files/upload.js';
import type { Reply } from './reply.js';
import type { FileOptions } from './services.js';

/** Returns the options that are fields of the request. */
export function requestFields<T extends FileOptions>(options: T): Omit<T, keyof FileOptions> {
  const { files: _files, onProgress: _onProgress, signal: _signal, ...fields } = options;
  return fields;
}

/** Reports progress and obeys the signal until the message is delivered or given up. */
export function observeUploads(
  uploads: readonly Upload[],
  { onProgress, signal }: FileOptions,
  { accepted }: Reply,
  withdraw: () => void,
): void {
  const report = () => onProgress?.(uploads.map((upload) => upload.getSnapshot()));
  const endings = onProgress ? uploads.map((upload) => upload.subscribe(report)) : [];
  signal?.addEventListener('abort', withdraw);
  const end = () => {
    endings.forEach((unsubscribe) => unsubscribe());
    signal?.removeEventListener('abort', withdraw);
  };
  accepted.then(end, end);
  if (signal?.aborted) withdraw();
}
