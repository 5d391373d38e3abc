/**
 * Counts o200k_base tokens in a worker thread: loading the vocabulary, and counting megabytes, takes up to a second.
 * Jobs are interleaved, so that a huge one does not delay the others.
 */
import { setImmediate } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { countTokens, setMergeCacheSize } from 'gpt-tokenizer/encoding/o200k_base';

/** Maximum length passed to the library: its merging is quadratic in an unbroken run of letters. */
const MAX_PIECE = 256;
/** Size of the library's cache of merged pieces (default 100,000). */
const MERGE_CACHE_SIZE = 5_000;
/** Treats `<|endoftext|>` in a user's text as plain text. */
const PLAIN_TEXT = { allowedSpecial: new Set(), disallowedSpecial: new Set() };
/** Pieces per job and turn. */
const TURN = 256;

setMergeCacheSize(MERGE_CACHE_SIZE);

const jobs = [];

parentPort.on('message', ({ id, texts }) => {
  jobs.push({ id, texts, counts: [], count: 0, start: 0 });
  if (jobs.length === 1) void run();
});

async function run() {
  for (let job = jobs[0]; job; job = jobs[0]) {
    work(job);
    jobs.shift();
    if (job.counts.length < job.texts.length) jobs.push(job);
    else parentPort.postMessage({ id: job.id, counts: job.counts });
    await setImmediate(); // receives new jobs
  }
}

function work(job) {
  for (let pieces = 0; pieces < TURN && job.counts.length < job.texts.length; pieces++) {
    const text = job.texts[job.counts.length];
    const end = pieceEnd(text, job.start);
    job.count += countTokens(text.slice(job.start, end), PLAIN_TEXT);
    job.start = end;
    if (end < text.length) continue;
    job.counts.push(job.count);
    job.count = job.start = 0;
  }
}

/** Cuts before a space if possible, because a token may begin with a space; never within a surrogate pair. */
function pieceEnd(text, start) {
  const limit = start + MAX_PIECE;
  if (limit >= text.length) return text.length;
  const space = text.slice(start, limit + 1).lastIndexOf(' ');
  if (space > 0) return start + space;
  const next = text.charCodeAt(limit);
  return next >= 0xdc00 && next <= 0xdfff ? limit + 1 : limit;
}
