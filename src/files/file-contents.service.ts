import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Request, Response } from 'express';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { IsNull, Repository } from 'typeorm';
import { missingToken } from '../auth/auth.errors.js';
import { AuthService } from '../auth/guard/auth.service.js';
import { bearerTokenOf } from '../auth/tokens/request-tokens.js';
import { FileLinks } from './file-links.service.js';
import { StoredFile } from './file.entity.js';
import { fileNotFound, rangeNotSatisfiable } from './files.errors.js';
import { type ByteRange, FileStorage } from './storage/file-storage.js';

/** Sends the bytes of files. They may be hostile: no browser shall run them. */
@Injectable()
export class FileContents {
  constructor(
    @InjectRepository(StoredFile) private readonly files: Repository<StoredFile>,
    private readonly auth: AuthService,
    private readonly links: FileLinks,
    private readonly storage: FileStorage,
  ) {}

  /** @throws {UnauthenticatedError} without the owner's access token or a signed link */
  async send(id: number, request: Request, response: Response): Promise<void> {
    const file = await this.find(id, request);
    const isKnown = isUnchanged(request, file);
    const isEmpty = isKnown || request.method === 'HEAD';
    const range = isEmpty ? undefined : rangeOf(request, response, file);
    const stream = isEmpty ? Readable.from([]) : await this.storage.get(file.blob!.storageKey, range);
    setHeaders(response, file);
    if (isKnown) response.status(304);
    else setLength(response, file.bytes, range);
    // A failure after the first byte can only break off the response, which the pipeline does.
    await pipeline(stream, response).catch(() => undefined);
  }

  private async find(id: number, request: Request): Promise<StoredFile> {
    const where = { id, deletedAt: IsNull(), ...(await this.authorize(id, request)) };
    const file = await this.files.findOne({ where, relations: { blob: true } });
    if (!file) throw fileNotFound();
    return file;
  }

  /** The Authorization header takes precedence over the link's token. */
  private async authorize(id: number, request: Request): Promise<{ userId?: number }> {
    const accessToken = bearerTokenOf(request);
    if (accessToken !== null) return { userId: (await this.auth.authenticate(accessToken)).user.id };
    const { token } = request.query;
    if (token === undefined) throw missingToken();
    this.links.verify(id, String(token));
    return {};
  }
}

function setHeaders(response: Response, { name, mimeType, sha256 }: StoredFile): void {
  const isImage = mimeType.startsWith('image/');
  // Sets the name by RFC 6266 and 8187.
  response.attachment(name);
  const disposition = response.getHeader('Content-Disposition') as string;
  if (isImage) response.setHeader('Content-Disposition', disposition.replace(/^attachment/, 'inline'));
  const hasCharset = mimeType.startsWith('text/');
  response.setHeader('Content-Type', hasCharset ? `${mimeType}; charset=utf-8` : mimeType);
  response.setHeader('ETag', `"${sha256}"`);
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Cache-Control', 'private, no-cache');
  response.setHeader('Content-Security-Policy', "default-src 'none'; sandbox");
  // Links are for images in pages of the app, whose origin is often another one.
  response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
}

/**
 * Compares If-None-Match weakly (RFC 9110 section 13.1.2). Express's `request.fresh` is false with
 * `Cache-Control: no-cache`, which fetch adds.
 */
function isUnchanged(request: Request, { sha256 }: StoredFile): boolean {
  const tags = request.get('If-None-Match')?.split(',') ?? [];
  return tags.some((tag) => ['*', `"${sha256}"`].includes(tag.trim().replace(/^W\//, '')));
}

/**
 * Serves one range of a GET (RFC 9110 section 14); several are answered with the whole file.
 * @throws {ProblemError} 416 if the file ends before the range
 */
function rangeOf(request: Request, response: Response, file: StoredFile): ByteRange | undefined {
  const ifRange = request.get('If-Range');
  if (ifRange !== undefined && ifRange !== `"${file.sha256}"`) return undefined;
  const ranges = rangesIn(request, file.bytes);
  if (ranges === -1) {
    response.setHeader('Content-Range', `bytes */${file.bytes}`);
    throw rangeNotSatisfiable();
  }
  const isOne = typeof ranges === 'object' && ranges.type === 'bytes' && ranges.length === 1;
  return isOne ? ranges[0] : undefined;
}

/** A suffix longer than the file is the whole file (RFC 9110 section 14.1.2); Express finds no range there. */
function rangesIn(request: Request, bytes: number): ReturnType<Request['range']> {
  const [, suffix] = /^bytes=\s*-(\d+)\s*$/.exec(request.get('Range') ?? '') ?? [];
  if (suffix === undefined || Number(suffix) <= bytes) return request.range(bytes);
  return Object.assign([{ start: 0, end: bytes - 1 }], { type: 'bytes' });
}

function setLength(response: Response, bytes: number, range?: ByteRange): void {
  response.status(range ? 206 : 200);
  response.setHeader('Content-Length', range ? range.end - range.start + 1 : bytes);
  if (range) response.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${bytes}`);
}
