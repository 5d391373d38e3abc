import { finished, PassThrough, type Readable, Transform, type TransformCallback } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';

/** Without buffering: a stream's next chunk may arrive a minute later. */
const FLUSH_EACH_CHUNK = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
const BROTLI_FLUSH_EACH_CHUNK = { flush: constants.BROTLI_OPERATION_FLUSH };
const GZIP_MAGIC = 0x1f;
const ZLIB_METHOD = 8;

/** Chosen by the first byte: bodies declared as gzip may be plain, and as deflate without the zlib header. */
const DECODERS = new Map<string, (first: number) => Transform>([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  [
    'deflate',
    (first) =>
      (first & 0x0f) === ZLIB_METHOD ? createInflate(FLUSH_EACH_CHUNK) : createInflateRaw(FLUSH_EACH_CHUNK),
  ],
  ['br', () => createBrotliDecompress(BROTLI_FLUSH_EACH_CHUNK)],
]);

/** Each takes memory, and their nested calls would exhaust the stack. undici and curl have the same limit. */
const MAX_DECODERS = 5;

/**
 * Decodes a body by its `Content-Encoding` (RFC 9110 section 8.4), which some providers send unrequested. A body with
 * more than `MAX_DECODERS` encodings stays encoded.
 */
export function decodeBody(body: Readable, contentEncoding: string): Readable {
  const names = contentEncoding.toLowerCase().split(',').reverse();
  const decoders = names.flatMap((name) => DECODERS.get(name.trim()) ?? []);
  if (decoders.length > MAX_DECODERS) return body;
  return decoders.reduce((source, decoder) => connect(source, new Decoder(decoder)), body);
}

function gunzip(first: number): Transform {
  return first === GZIP_MAGIC ? createGunzip(FLUSH_EACH_CHUNK) : new PassThrough();
}

/** Destroys each stream with the other, like `pipeline`, but decodes the bytes received before an error. */
function connect(source: Readable, decoder: Decoder): Decoder {
  finished(source, (error) => error && decoder.failSource(error));
  finished(decoder, () => source.destroy());
  return source.pipe(decoder);
}

class Decoder extends Transform {
  private decoder?: Transform;
  private sourceError?: Error;

  constructor(private readonly make: (first: number) => Transform) {
    super();
  }

  /** Without a reader, `end()` would never finish. */
  failSource(error: Error): void {
    this.sourceError = error;
    if (this.readableFlowing) this.end();
    else this.destroy(error);
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.decoder ??= this.open(chunk[0]!);
    // Backpressure: a full decoder continues when it has been read.
    if (this.decoder.write(chunk)) done();
    else this.decoder.once('drain', done);
  }

  override _flush(done: TransformCallback): void {
    if (!this.decoder) return done(this.sourceError);
    this.decoder.once('end', () => done(this.sourceError));
    this.decoder.end();
  }

  override _read(size: number): void {
    this.decoder?.resume();
    super._read(size);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.decoder?.destroy();
    done(error);
  }

  private open(first: number): Transform {
    const decoder = this.make(first);
    decoder.on('data', (piece: Buffer) => {
      if (!this.push(piece)) decoder.pause();
    });
    decoder.on('error', (error) => this.destroy(this.sourceError ?? error));
    return decoder;
  }
}
