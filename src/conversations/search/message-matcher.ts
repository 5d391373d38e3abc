import { setImmediate } from 'node:timers/promises';
import type { Repository } from 'typeorm';
import { type FoldedPiece, foldPieces, sourceIndex } from '../../common/text/folded-pieces.js';
import type { Message } from '../messages/message.entity.js';
import { readContent } from '../messages/stored-text.js';

/** Characters of a message that are read with others; longer messages are read again, one by one. */
export const BEGINNING_CHARACTERS = 8000;
const SNIPPET_CHARACTERS = 160;
/** Characters of a snippet before the match. */
const LEAD_CHARACTERS = 60;
/** Longest work between two ticks of the event loop. */
const MAX_BUSY_MS = 3;

export interface MatchRow {
  id: number | string;
  /** First BEGINNING_CHARACTERS characters of the content. */
  beginning: string;
}

export interface Hit {
  id: number | string;
  snippet: string;
}

/** Compares folded text in the process, because databases fold differently. Yields to the event loop meanwhile. */
export class MessageMatcher {
  private busySince = 0;

  constructor(private readonly messages: Repository<Message>) {}

  /**
   * @param key folded text
   * @returns up to `limit` hits, in the order of the rows
   */
  async match(rows: MatchRow[], key: string, limit: number): Promise<Hit[]> {
    const hits: Hit[] = [];
    for (const row of rows) {
      const snippet = await this.snippetOf(row, key);
      if (snippet !== null) hits.push({ id: row.id, snippet });
      if (hits.length === limit) break;
    }
    return hits;
  }

  private async snippetOf({ id, beginning }: MatchRow, key: string): Promise<string | null> {
    const snippet = await this.findSnippet(beginning, key);
    if (snippet !== null || beginning.length < BEGINNING_CHARACTERS) return snippet;
    return this.findSnippet(await readContent(this.messages, Number(id)), key);
  }

  private async findSnippet(text: string, key: string): Promise<string | null> {
    const pieces: FoldedPiece[] = [];
    for (const piece of foldPieces(text)) {
      pieces.push(piece);
      if (performance.now() - this.busySince > MAX_BUSY_MS) await this.yield();
    }
    const folded = pieces.map((piece) => piece.folded).join('');
    const at = folded.indexOf(key);
    return at === -1 ? null : snippetAt(text, sourceIndex(pieces, at));
  }

  private async yield(): Promise<void> {
    await setImmediate();
    this.busySince = performance.now();
  }
}

/** Counts code points, each of one or two code units. */
function snippetAt(text: string, at: number): string {
  const before = Array.from(text.slice(Math.max(0, at - 2 * LEAD_CHARACTERS), at)).slice(-LEAD_CHARACTERS);
  const after = Array.from(text.slice(at, at + 2 * SNIPPET_CHARACTERS));
  return [...before, ...after].slice(0, SNIPPET_CHARACTERS).join('').toWellFormed();
}
