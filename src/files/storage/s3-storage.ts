import type { CompletedPart, S3Client, UploadPartCommandInput } from '@aws-sdk/client-s3';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  type ByteRange,
  FileStorage,
  STORAGE_TIMEOUT_MS,
  storageFailure,
  type StorageUnavailableError,
} from './file-storage.js';

const PART_BYTES = 5 * 1024 * 1024;
/** Between bytes of a body, the client's pauses included. */
const IDLE_TIMEOUT_MS = 60_000;

/** Keeps files in a bucket of S3 or a compatible server. The SDK is loaded at the first use. */
export class S3Storage extends FileStorage {
  private readonly bucket: string;
  private readonly prefix: string;
  private connecting?: Promise<S3Client>;

  /** @param url `s3://bucket/prefix?region=…&endpoint=…` */
  constructor(private readonly url: URL) {
    super();
    this.bucket = url.hostname;
    this.prefix = url.pathname.replace(/^\/|\/$/g, '');
  }

  /** Fails once the server has taken no part for 10 s. Parts are streamed, because many uploads may run at once. */
  async put(key: string, path: string): Promise<void> {
    const object = this.object(key);
    const { size } = await stat(path);
    const UploadId = await this.guard(async (client, abortSignal) => {
      const { CreateMultipartUploadCommand } = await import('@aws-sdk/client-s3');
      return (await client.send(new CreateMultipartUploadCommand(object), { abortSignal })).UploadId;
    });
    try {
      const Parts: CompletedPart[] = [];
      for (let start = 0; start < size; start += PART_BYTES) {
        const range = { start, end: Math.min(start + PART_BYTES, size) - 1 };
        Parts.push(await this.putPart({ ...object, UploadId, PartNumber: Parts.length + 1 }, path, range));
      }
      await this.guard(async (client, abortSignal) => {
        const { CompleteMultipartUploadCommand } = await import('@aws-sdk/client-s3');
        const input = { ...object, UploadId, MultipartUpload: { Parts } };
        return client.send(new CompleteMultipartUploadCommand(input), { abortSignal });
      });
    } catch (error) {
      // Repeated by `delete`, which the sweep calls for uploads that failed.
      void this.abortUploads(key).catch(() => undefined);
      throw error;
    }
  }

  /** Repeats a failed part once: the SDK repeats no streams. */
  private async putPart(
    part: UploadPartCommandInput,
    path: string,
    range: ByteRange,
  ): Promise<CompletedPart> {
    return this.guard(async (client, abortSignal) => {
      const { UploadPartCommand } = await import('@aws-sdk/client-s3');
      const ContentLength = range.end - range.start + 1;
      const send = () => {
        const input = { ...part, ContentLength, Body: createReadStream(path, { ...range }) };
        return client.send(new UploadPartCommand(input), { abortSignal });
      };
      const { ETag } = await send().catch((error: unknown) => {
        if (abortSignal.aborted) throw error;
        return send();
      });
      return { ETag, PartNumber: part.PartNumber };
    });
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    return this.guard(async (client, abortSignal) => {
      const { GetObjectCommand } = await import('@aws-sdk/client-s3');
      const Range = range && `bytes=${range.start}-${range.end}`;
      const { Body } = await client.send(new GetObjectCommand({ ...this.object(key), Range }), {
        abortSignal,
      });
      return Body as Readable;
    });
  }

  async delete(key: string): Promise<void> {
    await this.guard(async (client, abortSignal) => {
      const { DeleteObjectCommand } = await import('@aws-sdk/client-s3');
      return client.send(new DeleteObjectCommand(this.object(key)), { abortSignal });
    });
    await this.abortUploads(key);
  }

  async probe(): Promise<void> {
    await this.guard(async (client, abortSignal) => {
      const { HeadBucketCommand } = await import('@aws-sdk/client-s3');
      return client.send(new HeadBucketCommand({ Bucket: this.bucket }), { abortSignal });
    });
  }

  /** Only a refusal is a fault of the configuration: a server that does not answer may come back. */
  async check(): Promise<void> {
    try {
      await this.probe();
    } catch (error) {
      const cause = (error as StorageUnavailableError).cause as {
        name?: string;
        $metadata?: { httpStatusCode?: number };
      };
      const status = cause.$metadata?.httpStatusCode;
      if (cause.name === 'CredentialsProviderError' || (status && status >= 300 && status < 500))
        throw new Error(`the bucket answered ${status ?? cause.name}`);
    }
  }

  /** A crashed process leaves the parts of its upload. */
  private async abortUploads(key: string): Promise<void> {
    await this.guard(async (client, abortSignal) => {
      const s3 = await import('@aws-sdk/client-s3');
      const { Bucket, Key } = this.object(key);
      const { Uploads = [] } = await client.send(
        new s3.ListMultipartUploadsCommand({ Bucket, Prefix: Key }),
        { abortSignal },
      );
      for (const { UploadId } of Uploads)
        await client.send(new s3.AbortMultipartUploadCommand({ Bucket, Key, UploadId }), { abortSignal });
    });
  }

  private object(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: this.prefix ? `${this.prefix}/${key}` : key };
  }

  private client(): Promise<S3Client> {
    return (this.connecting ??= this.connect());
  }

  private async connect(): Promise<S3Client> {
    const { S3Client } = await import('@aws-sdk/client-s3');
    const region = this.url.searchParams.get('region') ?? process.env.AWS_REGION ?? 'us-east-1';
    const endpoint = this.url.searchParams.get('endpoint') ?? undefined;
    return new S3Client({
      region,
      endpoint,
      forcePathStyle: endpoint !== undefined,
      maxAttempts: 2,
      // Checksums of streams are sent in trailers, which not every server understands.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: 5_000,
        requestTimeout: STORAGE_TIMEOUT_MS,
        socketTimeout: IDLE_TIMEOUT_MS,
      },
    });
  }

  private async guard<T>(work: (client: S3Client, signal: AbortSignal) => Promise<T>): Promise<T> {
    // Ends with the response's head: a body may be read for longer.
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new Error('No answer in time.')), STORAGE_TIMEOUT_MS);
    try {
      return await work(await this.client(), limit.signal);
    } catch (error) {
      throw storageFailure(error);
    } finally {
      clearTimeout(timer);
    }
  }
}
