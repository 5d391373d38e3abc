import { open } from 'node:fs/promises';

const BLOCK_BYTES = 64 * 1024;

/** Reads a file block by block into the same memory: a block is valid until the next is read. */
export async function* readBlocks(path: string): AsyncGenerator<Buffer> {
  const file = await open(path);
  try {
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(block);
      if (bytesRead === 0) return;
      yield block.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
