import { readSync } from 'node:fs';
import { open } from 'node:fs/promises';

const BLOCK_BYTES = 64 * 1024;

/** Random access to a file through one block in memory. Its reads block: the file was just written. */
export class FileBytes {
  private readonly block = Buffer.allocUnsafe(BLOCK_BYTES);
  private start = 0;
  private end = 0;

  /** @param length of the file */
  constructor(
    private readonly descriptor: number,
    readonly length: number,
  ) {}

  /** @throws {RangeError} beyond the end, as the other methods do */
  readUInt8(at: number): number {
    return this.view(at, 1).readUInt8();
  }

  readUInt16BE(at: number): number {
    return this.view(at, 2).readUInt16BE();
  }

  readUInt32BE(at: number): number {
    return this.view(at, 4).readUInt32BE();
  }

  readUInt32LE(at: number): number {
    return this.view(at, 4).readUInt32LE();
  }

  /** Reads Latin-1, up to the end of the file. */
  text(at: number, length: number): string {
    return this.view(at, Math.min(length, this.length - at)).toString('latin1');
  }

  /** @returns the position of a byte, or -1 */
  indexOf(byte: number, from: number): number {
    for (let at = from; at < this.length; at = this.end) {
      this.view(at, 1);
      const found = this.block.subarray(0, this.end - this.start).indexOf(byte, at - this.start);
      if (found >= 0) return this.start + found;
    }
    return -1;
  }

  private view(at: number, length: number): Buffer {
    if (at < 0 || length < 0 || at + length > this.length) throw new RangeError('The file ends before.');
    if (at < this.start || at + length > this.end) this.load(at);
    return this.block.subarray(at - this.start, at - this.start + length);
  }

  private load(start: number): void {
    const bytes = readSync(this.descriptor, this.block, 0, BLOCK_BYTES, start);
    if (bytes === 0) throw new RangeError('The file was cut.');
    this.start = start;
    this.end = start + bytes;
  }
}

/** Reads a file block by block into the same memory: a block is valid until the next is read. */
export async function* readBlocks(path: string): AsyncGenerator<Buffer> {
  const file = await open(path);
  try {
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    for (let bytesRead; (bytesRead = (await file.read(block)).bytesRead) > 0;)
      yield block.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
