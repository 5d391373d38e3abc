/** Bytes with a name; text is encoded as UTF-8. */
export interface NamedData {
  name: string;
  type?: string;
  data: string | Blob | ArrayBuffer | Uint8Array<ArrayBuffer>;
}

/** A file of React Native, which is read when it is sent. */
export interface NativeFile {
  uri: string;
  name: string;
  type?: string;
}

/** A file to upload. A Blob without a name is called `file`. */
export type FileInput = Blob | NamedData | NativeFile;

/** A file that can be sent, with its description until the server has another one. */
export interface FileSource {
  readonly name: string;
  readonly type: string;
  /** Null where only the platform knows the size. */
  readonly bytes: number | null;
  /** For a preview; null in React Native. */
  readonly blob: Blob | null;
  body(): FormData;
}

export function sourceOf(input: FileInput): FileSource {
  if ('uri' in input) return nativeSource(input);
  const isBlob = input instanceof Blob;
  const blob = isBlob ? input : new Blob([input.data], { type: input.type });
  const name = (input as { name?: string }).name || 'file';
  return {
    name,
    type: blob.type,
    bytes: blob.size,
    blob,
    body: () => formOf((form) => form.append('file', blob, name)),
  };
}

function nativeSource(file: NativeFile): FileSource {
  const { name, type = '' } = file;
  const body = () => formOf((form) => form.append('file', file as unknown as Blob));
  return { name, type, bytes: null, blob: null, body };
}

function formOf(fill: (form: FormData) => void): FormData {
  const form = new FormData();
  fill(form);
  return form;
}
