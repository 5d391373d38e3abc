import { Dicer } from '@fastify/busboy';
import { parse } from 'content-disposition';
import type { Request } from 'express';
import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ProblemError } from '../../common/errors/errors.js';
import { bodyLimit, bodyTooLarge, MAX_FILE_BYTES } from '../../common/http/middleware/body-limit.js';
import { allowSlowBody } from '../../common/http/server/slow-body.js';
import { malformedUpload, notMultipart, notOneFile } from './upload.errors.js';

/** A name of 10,000 characters, percent-encoded, takes up to 120 kB. */
const MAX_HEADER_BYTES = 128 * 1024;

/** The parser throws for longer ones; RFC 2046 section 5.1.1 allows 70 characters. */
const MAX_BOUNDARY_LENGTH = 250;

type PartHeaders = Record<string, string[] | undefined>;

/**
 * Writes the only part of a multipart/form-data body (RFC 7578), named `file`, to a path while it is received.
 * @returns the name of the file as sent
 * @throws {ProblemError} 400, 413, 415 or 422
 */
export async function readUpload(request: Request, path: string): Promise<string | undefined> {
  const parser = createParser(request);
  const abort = new AbortController();
  const upload = new Upload(path, abort.signal);
  try {
    return await new Promise((resolve, reject) => {
      allowSlowBody(request, () => reject(malformedUpload()));
      parser.on('part', (part) => {
        // Parts that are refused still emit an error if the body breaks off.
        part.on('error', () => undefined);
        part.on('header', (headers: PartHeaders) => upload.add(headers, part).catch(reject));
      });
      parser.on('error', () => reject(malformedUpload()));
      parser.on('finish', () => upload.finish().then(resolve, reject));
      request.on('close', () => request.complete || reject(malformedUpload()));
      // A connection that ends within the body is answered by the server, without closing the request.
      request.res!.on('close', () => reject(malformedUpload()));
      limitBody(request, reject);
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

/** Limits what is outside the part, too, in a body without Content-Length. */
function limitBody(request: Request, refuse: (error: ProblemError) => void): void {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bodyLimit(request)) refuse(bodyTooLarge());
  });
}

function createParser({ headers }: Request): Dicer {
  const type = headers['content-type'];
  if (type === undefined) throw notOneFile();
  if (!/^multipart\/form-data *(;|$)/i.test(type)) throw notMultipart();
  const [, quoted, token] = /; *boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(type) ?? [];
  const boundary = quoted ?? token;
  if (boundary === undefined || boundary.length > MAX_BOUNDARY_LENGTH) throw malformedUpload();
  return new Dicer({ boundary, maxHeaderSize: MAX_HEADER_BYTES } as Dicer.Config);
}

/** @throws {ProblemError} unless the part is a file named `file` */
function fileNameOf(headers: PartHeaders): string | undefined {
  const disposition = Buffer.from(headers['content-disposition']?.[0] ?? '', 'latin1').toString();
  const { type, parameters } = parse(disposition, { multipart: true });
  const isFile =
    parameters.filename !== undefined ||
    parameters['filename*'] !== undefined ||
    headers['content-type']?.[0] === 'application/octet-stream';
  if (type !== 'form-data' || parameters.name !== 'file' || !isFile) throw notOneFile();
  return parameters.filename;
}

class Upload {
  private writing?: Promise<void>;
  private name?: string;

  constructor(
    private readonly path: string,
    private readonly signal: AbortSignal,
  ) {}

  async add(headers: PartHeaders, part: Readable): Promise<void> {
    try {
      if (this.writing) throw notOneFile();
      this.name = fileNameOf(headers);
    } catch (error) {
      part.resume();
      throw error;
    }
    this.writing = this.write(part);
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

  private async write(part: Readable): Promise<void> {
    const file = createWriteStream(this.path, { flags: 'wx', mode: 0o600 });
    try {
      await pipeline(part, limitBytes, file, { signal: this.signal });
    } catch (error) {
      const isOwn = error instanceof ProblemError || (error as NodeJS.ErrnoException).code !== undefined;
      throw this.signal.aborted || !isOwn ? malformedUpload() : error;
    }
  }
}

async function* limitBytes(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > MAX_FILE_BYTES) throw bodyTooLarge();
    yield chunk;
  }
}
