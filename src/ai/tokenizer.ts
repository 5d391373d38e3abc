import { isLowSurrogate } from '../common/utf16.js';

/*
 * Loaded at first use: the vocabulary takes 70 MB and 130 ms, which a server that nobody talks to need not spend.
 */
type Encoding = typeof import('gpt-tokenizer/encoding/o200k_base');

/** The longest stretch given to the library at once: its merging is quadratic in an unbroken run of letters. */
const MAX_PIECE = 256;
/** The library remembers the pieces it has merged; its own default keeps 100,000 of them. */
const MERGE_CACHE_SIZE = 5_000;
/** `<|endoftext|>` from a user is text like any other, neither an error nor a special token. */
const PLAIN_TEXT = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };

let encoding: Encoding | undefined;
let loading: Promise<void> | undefined;

/** Loads the vocabulary, once. To be awaited before `countTokens`. */
export function loadTokenizer(): Promise<void> {
  return (loading ??= import('gpt-tokenizer/encoding/o200k_base').then((loaded) => {
    loaded.setMergeCacheSize(MERGE_CACHE_SIZE);
    encoding = loaded;
  }));
}

/**
 * The number of o200k_base tokens in a text; of a long one to within one per mille or so, in linear time whatever it holds.
 * Throws unless `loadTokenizer()` has been awaited.
 */
export function countTokens(text: string): number {
  if (!encoding) throw new Error('Await loadTokenizer() before countTokens()');
  let count = 0;
  for (let start = 0; start < text.length;) {
    const end = pieceEnd(text, start);
    count += encoding.countTokens(text.slice(start, end), PLAIN_TEXT);
    start = end;
  }
  return count;
}

/** Before a space where there is one, as a token may begin with a space; never within a surrogate pair. */
function pieceEnd(text: string, start: number): number {
  const limit = start + MAX_PIECE;
  if (limit >= text.length) return text.length;
  const space = text.slice(start, limit + 1).lastIndexOf(' ');
  if (space > 0) return start + space;
  return isLowSurrogate(text.charCodeAt(limit)) ? limit + 1 : limit;
}
