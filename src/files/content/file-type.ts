import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import { UnsupportedFileError } from './content.errors.js';
import { readBlocks } from './file-bytes.js';

/** Images that are taken, by MIME type. `image/apng` is served as PNG. */
const IMAGE_FORMATS = new Map([
  ['image/png', 'png'],
  ['image/apng', 'png'],
  ['image/jpeg', 'jpeg'],
  ['image/webp', 'webp'],
  ['image/gif', 'gif'],
] as const);

export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'gif';

/** MIME types of text by extension. Types that a browser would run are left out. */
const TEXT_TYPES: Record<string, string> = {
  '.csv': 'text/csv',
  '.json': 'application/json',
  '.markdown': 'text/markdown',
  '.md': 'text/markdown',
  '.tsv': 'text/tab-separated-values',
  '.yaml': 'application/yaml',
  '.yml': 'application/yaml',
};

/** Bytes that file-type needs. */
const SAMPLE_BYTES = 4100;

export type FileKind =
  { kind: 'image'; format: ImageFormat } | { kind: 'pdf' } | { kind: 'text'; mimeType: string };

/** Recognizes a file by its bytes; the name only refines text. @throws {UnsupportedFileError} */
export async function detectKind(path: string, name: string): Promise<FileKind> {
  const { fileTypeFromBuffer } = await import('file-type');
  const mimeType = (await fileTypeFromBuffer(await readSample(path)))?.mime;
  const format = (IMAGE_FORMATS as ReadonlyMap<string | undefined, ImageFormat>).get(mimeType);
  if (format) return { kind: 'image', format };
  if (mimeType === 'application/pdf') return { kind: 'pdf' };
  if (!(await isUtf8Text(path))) throw new UnsupportedFileError();
  return { kind: 'text', mimeType: TEXT_TYPES[extname(name).toLowerCase()] ?? 'text/plain' };
}

async function readSample(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(SAMPLE_BYTES), 0, SAMPLE_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function isUtf8Text(path: string): Promise<boolean> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const block of readBlocks(path)) {
      if (block.includes(0)) return false;
      decoder.decode(block, { stream: true });
    }
    decoder.decode();
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return false;
    throw error;
  }
}
