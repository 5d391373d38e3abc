import { join } from 'node:path';
// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- its thread is held to the rule too
import { Worker } from 'node:worker_threads';
import { Logger } from '@nestjs/common';

/** Maximum length copied to the worker in one tick of the event loop. UTF-16 code units. */
const MAX_BATCH = 1024 * 1024;
/** The worker is terminated when it is idle for this long, which frees the memory of the vocabulary. */
const IDLE_MS = 5 * 60_000;

interface Job {
  texts: readonly string[];
  resolve: (counts: number[]) => void;
}

const logger = new Logger('Tokenizer');

let worker: Worker | undefined;
let idle: NodeJS.Timeout | undefined;
let lastId = 0;
const jobs = new Map<number, Job>();

/**
 * Counts o200k_base tokens in a worker thread, in linear time; off by about one per mille for long texts. Loads the
 * vocabulary at first use.
 */
export async function countTokens(texts: readonly string[]): Promise<number[]> {
  const counts: number[] = [];
  for (let start = 0; start < texts.length;) {
    const end = batchEnd(texts, start);
    for (const count of await countBatch(texts.slice(start, end))) counts.push(count);
    start = end;
  }
  return counts;
}

/** Terminates an idle worker; the next count starts another. */
export async function closeTokenizer(): Promise<void> {
  clearTimeout(idle);
  if (jobs.size > 0) return;
  const closing = worker;
  worker = undefined;
  await closing?.terminate();
}

function batchEnd(texts: readonly string[], start: number): number {
  let length = 0;
  let end = start;
  while (end < texts.length && (end === start || length + texts[end]!.length <= MAX_BATCH)) {
    length += texts[end++]!.length;
  }
  return end;
}

function countBatch(texts: readonly string[]): Promise<number[]> {
  clearTimeout(idle);
  worker ??= startWorker();
  worker.ref();
  const id = ++lastId;
  worker.postMessage({ id, texts });
  return new Promise((resolve) => jobs.set(id, { texts, resolve }));
}

function startWorker(): Worker {
  const started = new Worker(join(import.meta.dirname, 'tokenizer.worker.mjs'));
  started.on('message', ({ id, counts }: { id: number; counts: number[] }) => settle(id, counts));
  started.on('error', (error) => logger.error({ error }, 'Tokenizer failed'));
  started.on('exit', () => {
    if (worker !== started) return;
    worker = undefined;
    // Falls back to the number of bytes, an upper bound: a prompt still fits.
    for (const [id, { texts }] of jobs)
      settle(
        id,
        texts.map((text) => Buffer.byteLength(text)),
      );
  });
  return started;
}

function settle(id: number, counts: number[]): void {
  jobs.get(id)?.resolve(counts);
  jobs.delete(id);
  if (jobs.size > 0) return;
  worker?.unref();
  idle = setTimeout(() => void closeTokenizer(), IDLE_MS).unref();
}
