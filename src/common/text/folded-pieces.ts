import { foldText } from './fold-text.js';
import { isLowSurrogate } from './utf16.js';

/** UTF-16 code units. Bounds the normalization of combining marks, which takes quadratic time. */
const PIECE_LENGTH = 512;
/** Characters that never compose with the one before. */
const BEGINS_ANEW =
  /[\0-\x7f\u00c0-\u02af\u0370-\u0482\u048a-\u052f\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]/;
const graphemes = new Intl.Segmenter();

export interface FoldedPiece {
  /** Index in the text. */
  start: number;
  source: string;
  folded: string;
}

/** Folds a text in pieces, between which the caller can yield. Joined, they equal the folded text. */
export function* foldPieces(text: string): Generator<FoldedPiece> {
  for (let start = 0; start < text.length;) {
    const source = text.slice(start, endOfPiece(text, start));
    yield { start, source, folded: foldText(source) };
    start += source.length;
  }
}

/** @returns an index that splits no composed character, except in runs of marks longer than a piece */
function endOfPiece(text: string, start: number): number {
  const most = start + PIECE_LENGTH;
  if (most >= text.length) return text.length;
  for (let end = most; end > start; end--) if (BEGINS_ANEW.test(text[end]!)) return end;
  return isLowSurrogate(text.charCodeAt(most)) ? most - 1 : most;
}

/** Maps an index in the folded text to the start of its grapheme in the text. */
export function sourceIndex(pieces: FoldedPiece[], foldedIndex: number): number {
  let left = foldedIndex;
  for (const { start, source, folded } of pieces) {
    if (left < folded.length) return start + graphemeAt(source, left);
    left -= folded.length;
  }
  return 0;
}

function graphemeAt(source: string, foldedIndex: number): number {
  let left = foldedIndex;
  for (const { segment, index } of graphemes.segment(source)) {
    left -= foldText(segment).length;
    if (left < 0) return index;
  }
  return 0;
}
