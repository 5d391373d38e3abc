import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { UnreadableFileError } from './content.errors.js';
import { detectKind, type FileKind } from './file-type.js';

/** Properties of the bytes that are served. */
export interface InspectedFile {
  mimeType: string;
  bytes: number;
  /** Lower-case hexadecimal. */
  sha256: string;
  width: number | null;
  height: number | null;
  /** Text of a PDF or a text file. */
  text: string | null;
}

/** Recognizes uploaded files by their bytes. */
@Injectable()
export class FileInspector {
  /** @throws {ProblemError} `unsupported_file`, `unreadable_file` */
  async inspect(path: string, name: string): Promise<InspectedFile> {
    const { size: bytes } = await stat(path);
    if (bytes === 0) throw new UnreadableFileError('The file is empty.');
    const mimeType = mimeTypeOf(await detectKind(path, name));
    return { mimeType, bytes, sha256: await sha256Of(path), width: null, height: null, text: null };
  }
}

function mimeTypeOf(kind: FileKind): string {
  if (kind.kind === 'text') return kind.mimeType;
  return kind.kind === 'pdf' ? 'application/pdf' : `image/${kind.format}`;
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
