import busboy, { type Busboy } from 'busboy';
import type { Request } from 'express';
import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { bodyTooLarge, MAX_FILE_BYTES } from '../../common/http/middleware/body-limit.js';
import { allowSlowBody } from '../../common/http/server/slow-body.js';
import { malformedUpload, notMultipart, notOneFile } from './upload.errors.js';

/**
 * Writes the only part of a multipart/form-data body (RFC 7578), named `file`, to a path while it is received.
 * @returns the name of the file as sent
 * @throws {ProblemError} 400, 413, 415 or 422
 */
export async function readUpload(request: Request, path: string): Promise<string | undefined> {
  const parser = createParser(request);
  const abort = new AbortController();
  const upload = new Upload(path, abort.signal);
  allowSlowBody(request);
  try {
    return await new Promise((resolve, reject) => {
      parser.on('file', (field, stream, { filename }) => upload.add(field, stream, filename).catch(reject));
      parser.on('field', () => reject(notOneFile()));
      parser.on('error', () => reject(malformedUpload()));
      parser.on('close', () => upload.finish().then(resolve, reject));
      request.on('close', () => request.complete || reject(malformedUpload()));
      request.pipe(parser);
    });
  } catch (error) {
    // Destroying the request would close the connection before the response is sent.
    request.unpipe(parser);
    request.resume();
    abort.abort();
    await upload.settled();
    throw error;
  }
}

function createParser({ headers }: Request): Busboy {
  const type = headers['content-type'];
  if (type === undefined) throw notOneFile();
  if (!/^multipart\/form-data *(;|$)/i.test(type)) throw notMultipart();
  const limits = { fileSize: MAX_FILE_BYTES + 1, fields: 1, fieldSize: 1024 };
  try {
    return busboy({ headers, limits, defParamCharset: 'utf8' });
  } catch {
    throw malformedUpload();
  }
}

class Upload {
  private writing?: Promise<void>;
  private name?: string;

  constructor(
    private readonly path: string,
    private readonly signal: AbortSignal,
  ) {}

  async add(field: string, stream: Readable, name?: string): Promise<void> {
    // Parts that are refused still emit an error if the body breaks off.
    stream.on('error', () => undefined);
    if (field !== 'file' || this.writing) {
      stream.resume();
      throw notOneFile();
    }
    this.name = name;
    this.writing = this.write(stream);
    await this.writing;
  }

  async finish(): Promise<string | undefined> {
    if (!this.writing) throw notOneFile();
    await this.writing;
    return this.name;
  }

  async settled(): Promise<void> {
    await this.writing?.catch(() => undefined);
  }

  private async write(stream: Readable): Promise<void> {
    let isTooLarge = false;
    stream.once('limit', () => (isTooLarge = true));
    const file = createWriteStream(this.path, { flags: 'wx', mode: 0o600 });
    try {
      await pipeline(stream, file, { signal: this.signal });
    } catch (error) {
      throw this.signal.aborted || (error as NodeJS.ErrnoException).code === undefined
        ? malformedUpload()
        : error;
    }
    if (isTooLarge) throw bodyTooLarge();
  }
}
