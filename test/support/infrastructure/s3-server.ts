import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

interface MultipartUpload {
  path: string;
  parts: Map<number, { etag: string; bytes: Buffer }>;
}

/** Returns a status to respond with, nothing to let the request through, or a promise of either, which may stay open. */
type Intercept = (call: string, request: IncomingMessage) => number | void | Promise<number | void>;

/** Speaks the part of S3 that Parley uses, with buckets in the path, and keeps objects in memory. */
export class S3Server {
  /** By path, bucket included. */
  readonly objects = new Map<string, Buffer>();
  readonly uploads = new Map<string, MultipartUpload>();
  /** Requests as `METHOD query`, the query without values. */
  readonly calls: string[] = [];
  readonly regions = new Set<string | undefined>();
  intercept: Intercept = () => undefined;
  port = 0;
  private server!: Server;
  private lastUpload = 0;

  private constructor(private readonly bucket: string) {}

  static async start(bucket: string): Promise<S3Server> {
    const s3 = new S3Server(bucket);
    s3.server = createServer((request, response) => {
      void s3.receive(request, response).catch(() => response.destroy());
    });
    await once(s3.server.listen(0, '127.0.0.1'), 'listening');
    s3.port = (s3.server.address() as AddressInfo).port;
    return s3;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, this.url);
    const names = [...searchParams.keys()].filter((name) => name !== 'x-id');
    const call = [request.method, ...names.sort()].join(' ');
    this.calls.push(call);
    this.regions.add(request.headers.authorization?.split('/')[2]);
    const body = await buffer(request);
    const status = await this.intercept(call, request);
    if (status) return void response.writeHead(status).end();
    if (!`${pathname}/`.startsWith(`/${this.bucket}/`)) return void response.writeHead(404).end();
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const { uploadId = '', partNumber, prefix = '' } = Object.fromEntries(searchParams);
    if (call === 'HEAD') response.end();
    else if (call === 'POST uploads') response.end(this.begin(pathname));
    else if (call === 'PUT partNumber uploadId')
      response.setHeader('ETag', this.keep(uploadId, Number(partNumber), body)).end();
    else if (call === 'POST uploadId') this.complete(uploadId, body.toString(), response);
    else if (call === 'GET prefix uploads') response.end(this.list(prefix));
    else if (call === 'DELETE uploadId') response.writeHead(this.uploads.delete(uploadId) ? 204 : 404).end();
    else if (call === 'DELETE') response.writeHead((this.objects.delete(pathname), 204)).end();
    else if (call === 'GET') this.send(pathname, range, response);
    else response.writeHead(501).end();
  }

  private begin(path: string): string {
    const id = `upload-${++this.lastUpload}`;
    this.uploads.set(id, { path, parts: new Map() });
    return `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`;
  }

  private keep(id: string, number: number, bytes: Buffer): string {
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
    this.uploads.get(id)!.parts.set(number, { etag, bytes });
    return etag;
  }

  private complete(id: string, body: string, response: ServerResponse): void {
    const { path, parts } = this.uploads.get(id)!;
    const named = [...body.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part]) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part!)?.[1]),
      etag: /<ETag>(.*)<\/ETag>/.exec(part!)?.[1]?.replaceAll('&quot;', '"'),
    }));
    const found = named.map(({ number, etag }) => {
      const part = parts.get(number);
      return part?.etag === etag ? part?.bytes : undefined;
    });
    const known = found.filter((bytes) => bytes !== undefined);
    if (known.length === 0 || known.length < found.length) return void response.writeHead(400).end();
    this.objects.set(path, Buffer.concat(known));
    this.uploads.delete(id);
    response.end('<CompleteMultipartUploadResult/>');
  }

  private list(prefix: string): string {
    const found = [...this.uploads].filter(([, { path }]) => path.startsWith(`/${this.bucket}/${prefix}`));
    const xml = found.map(
      ([id, { path }]) =>
        `<Upload><Key>${path.slice(this.bucket.length + 2)}</Key><UploadId>${id}</UploadId></Upload>`,
    );
    return `<ListMultipartUploadsResult>${xml.join('')}</ListMultipartUploadsResult>`;
  }

  private send(path: string, range: RegExpExecArray | null, response: ServerResponse): void {
    const bytes = this.objects.get(path);
    if (!bytes) return void response.writeHead(404).end();
    if (!range) return void response.end(bytes);
    response.writeHead(206).end(bytes.subarray(Number(range[1]), Number(range[2]) + 1));
  }
}
